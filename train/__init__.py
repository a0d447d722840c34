"""Training, the per-image optimizer, evaluation. May import models and configs, not export; no wing imports it.

`impasto.train(...)` calls the function of impasto/training.py.
"""
