"""Networks, VGG, losses, metrics, pictures and checkpoints. May import configs; train and export may import it."""
