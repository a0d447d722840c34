"""The feed-forward trainer. May import data and runtime; evaluation and commands may import it."""
