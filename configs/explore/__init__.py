"""Presets of impasto-explore: YAML alone. No code imports it; Hydra finds them through this file."""
