"""Presets of impasto-optimize: YAML alone. No code imports it; Hydra finds them through this file."""
