"""Core ML packages. May import contract, typed_json, test_images, suppress_output; all but onnx_graph may import it."""
