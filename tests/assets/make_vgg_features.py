"""Write vgg_features.json: golden features of VGG-16, computed by ONNX Runtime from the graph in the wheel.

Run: python -m tests.assets.make_vgg_features
"""

import json
import os
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from impasto.models.vgg.weights import wheel

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
MEAN_BGR = (103.939, 116.779, 123.68)
SIDE, SAMPLES = 240, 24


def picture() -> NDArray[np.float32]:
    """Return a smooth picture with edges: RGB [240, 240, 3], whole numbers 0..255."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [np.sin(9 * x + 4 * y * y), np.cos(14 * y - 5 * x), np.sin(25 * x * y)]
    edges = 0.35 * ((x + y > 0.9) ^ (x > 0.3))
    return np.clip(np.rint((np.stack(waves, -1) / 3 + 0.5 + edges[..., None]) * 255), 0, 255).astype(np.float32)


def main() -> None:
    """Compute and write the golden features."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it on import
    import onnxruntime as ort

    path = wheel()
    assert path is not None, "install the vgg extra first"
    model = onnx.load(path)
    outputs = {}
    for layer in LAYERS:
        block, conv = layer.removeprefix("relu").split("_")
        (name,) = [
            n.output[0] for n in model.graph.node if f"block{block}_conv{conv}" in n.name and n.op_type == "Relu"
        ]
        outputs[layer] = name
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs.values())
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    bgr = picture()[None, :, :, ::-1] - np.array(MEAN_BGR, np.float32)
    features = session.run(list(outputs.values()), {session.get_inputs()[0].name: bgr.astype(np.float32)})
    golden = {}
    for layer, (values,) in zip(LAYERS, features, strict=True):
        indices = np.random.default_rng(0).integers(0, values.size, SAMPLES)
        golden[layer] = {
            "shape": list(values.shape),
            "mean": float(values.mean(dtype=np.float64)),
            "indices": indices.tolist(),
            "values": [float(f"{value:.7g}") for value in values.reshape(-1)[indices]],
        }
    target = Path(__file__).with_name("vgg_features.json")
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
