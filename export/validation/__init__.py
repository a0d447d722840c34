"""Parity, latency, memory. May import formats and what is below; inference, video, bundle, commands may import it."""
