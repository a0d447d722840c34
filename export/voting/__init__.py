"""Blind votes between networks: the page, and the results, no torch. May import inference; commands may import it."""
