"""The per-image optimizer (Gatys et al. 2016). May import data and runtime; evaluation and commands may import it."""
