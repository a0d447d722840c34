"""Read, stylize and write videos, no torch. May import inference, validation, onnx_graph; commands may import it."""
