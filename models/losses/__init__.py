"""Losses. May import configs and models.{image,transform_net,vgg}; models.metrics and train may import it."""
