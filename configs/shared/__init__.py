"""Groups of presets that several commands share: YAML alone. No code imports it."""
