"""Core ML packages. May import runtime, contract and what is below; onnx_graph must not import it, rooms above may."""
