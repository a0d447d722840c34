"""Presets of data that commands share: YAML alone. No code imports it; Hydra finds them through this file."""
