"""Export, bundles, and inference with exported files. May import models and configs, not train; no wing imports it."""
