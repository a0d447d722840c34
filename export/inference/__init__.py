"""Run exported files, without torch. May import validation and onnx_graph; video, bundle and commands may import it."""
