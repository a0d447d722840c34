"""Devices, processes, signals, progress, plots. Imports no sub-package of train; all but data may import it."""
