"""Settings as typed objects. May import configs.errors; configs.cli, models, train and export may import it."""
