"""impasto: one small, fast network per painting, from training to a verified file on a phone."""

from importlib.metadata import version

__version__ = version("impasto")
