"""Presets of impasto-check: YAML alone. No code imports it; Hydra finds them through this file."""
