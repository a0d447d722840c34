"""What ships: ONNX, Core ML, bundles, and running an exported file."""
