"""Presets of impasto-train: YAML alone. No code imports it; Hydra finds them through this file."""
