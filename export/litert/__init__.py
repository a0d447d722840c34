"""LiteRT files. May import runtime, fp16_rescale and what is below; onnx_graph and coreml must not import it."""
