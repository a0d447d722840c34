"""VGG-16 and VGG-19: weights, features and the deconvnet. May import configs; models.losses and train may import it."""
