"""ONNX files. May import runtime, contract and what is below; coreml must not import it, all rooms above may."""
