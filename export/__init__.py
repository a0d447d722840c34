"""Export, bundles, and inference with exported files. May import models and configs, not train; no wing imports it.

`impasto.export(...)` calls the function of impasto/bundles.py.
"""
