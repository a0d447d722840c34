"""ONNX files for the tests: one that honors the contract of exported files, and some that do not."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from impasto.models import ort_environment

PIXELS = [1, "H", "W", 4]


def warnings_of(path: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Return what ONNX Runtime logs at its default level, warnings, while it loads a file as an app does."""
    onnxruntime = ort_environment.import_onnxruntime()
    capfd.readouterr()
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return "".join(capfd.readouterr())


def model(
    path: Path,
    shape: Any = PIXELS,
    kind: int = TensorProto.UINT8,
    name: str = "image",
    crop: int = 0,
    strength: bool = False,
    **props: str,
) -> Path:
    """Write a file that inverts the colors and passes alpha, with metadata `props`.

    With `strength`, it has that optional input, as older exported files have. It pads by reflection and crops again,
    which needs 16 pixels a side.
    """
    constants = {
        "pads": [0, 15, 15, 0, 0, 0, 0, 0],
        "begin": [15, 15],
        "end": [2**31 - crop if crop == 0 else -crop] * 2,
        "axes": [1, 2],
    }
    tensors = [helper.make_tensor(key, TensorProto.INT64, [len(value)], value) for key, value in constants.items()]
    tensors.append(helper.make_tensor("inverse", TensorProto.INT32, [4], [-1, -1, -1, 1]))
    tensors.append(helper.make_tensor("white", TensorProto.INT32, [4], [255, 255, 255, 0]))
    nodes = [
        helper.make_node("Cast", [name], ["whole"], to=TensorProto.INT32),
        helper.make_node("Pad", ["whole", "pads"], ["padded"], mode="reflect"),
        helper.make_node("Slice", ["padded", "begin", "end", "axes"], ["cut"]),
        helper.make_node("Mul", ["cut", "inverse"], ["negative"]),
        helper.make_node("Add", ["negative", "white"], ["inverted"]),
        helper.make_node("Cast", ["inverted"], ["stylized"], to=kind),
    ]
    if strength:
        tensors.append(helper.make_tensor("strength", TensorProto.FLOAT, [], [1.0]))
        tensors.append(helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]))
        mix = [
            helper.make_node("Cast", ["inverted"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["whole"], ["photo"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["one", "strength"], ["rest"]),
            helper.make_node("Mul", ["float", "strength"], ["a"]),
            helper.make_node("Mul", ["photo", "rest"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["mixed"]),
        ]
        nodes[-1:] = [*mix, helper.make_node("Cast", ["mixed"], ["stylized"], to=kind)]
    values = (
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info("stylized", kind, shape)],
    )
    if strength:
        values[0].append(helper.make_tensor_value_info("strength", TensorProto.FLOAT, []))
    graph = helper.make_graph(nodes, "inverter", *values, tensors)
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(result, props)
    onnx.checker.check_model(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(result, path)
    return path
