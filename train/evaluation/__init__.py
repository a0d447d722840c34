"""Evaluation of networks, feature inversion. May import all of train but commands; only commands may import it."""
