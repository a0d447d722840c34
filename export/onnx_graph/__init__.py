"""Write, analyze ONNX. May import contract, typed_json, test_images, suppress_output; all but coreml may import it."""
