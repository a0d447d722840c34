"""Parity, latency, memory. May import onnx_graph, coreml; inference, video, bundle, commands may import it."""
