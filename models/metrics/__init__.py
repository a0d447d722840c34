"""Metrics: artifacts and flicker. May import configs and models.{losses,transform_net}; train may import it."""
