"""Receptive fields of graphs of one operator, and of whole networks."""

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.configs.errors import UsageError
from impasto.export.onnx_graph import instance_norm, receptive_field
from impasto.models import onnx_model
from tests.helpers.bundles import Written
from tests.helpers.networks import slow


def graph(*operators: str, **attributes: Any) -> onnx.ModelProto:
    """A chain of operators on a float image, each with a constant where it requires one."""
    constants: dict[str, Any] = {
        "Conv": np.zeros((1, 1, 3, 3), np.float32),
        "Gather": np.array([0]),
        "Pad": np.array([0, 0, 2, 2, 0, 0, 2, 2]),
        "Resize": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = []
    for number, operator in enumerate(operators):
        constant = [f"{operator}.c"] if operator in constants else []
        inputs = [str(number), *([""] if operator == "Resize" else []), *constant]
        own = attributes if number == len(operators) - 1 else {}
        own = own | ({"kernel_shape": [3, 3]} if operator == "Conv" else {})
        nodes.append(helper.make_node(operator, inputs, [str(number + 1)], **own))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, "H", "W"]) for n in ("0", str(len(operators)))]
    tensors = [numpy_helper.from_array(value, f"{name}.c") for name, value in constants.items()]
    return helper.make_model(helper.make_graph(nodes, "test", ends[:1], ends[1:], tensors))


@pytest.mark.parametrize(
    ("operators", "attributes", "step", "first", "last", "extra"),
    [
        (["Relu"], {}, 1, 0, 0, 0),
        (["Conv"], {}, 1, 0, 2, -2),
        (["Conv"], {"pads": [1, 1, 1, 1]}, 1, -1, 1, 0),
        (["Conv"], {"dilations": [3, 3], "strides": [2, 2], "pads": [3, 3, 3, 3]}, 2, -3, 3, 0),
        (["Pad", "Conv"], {}, 1, -2, 0, 2),
        (["Pad", "Conv"], {"strides": [2, 2]}, 2, -2, 0, 1),
        (["Pad", "Gather"], {"axis": 1}, 1, -2, -2, 4),
        (["Pad", "SpaceToDepth", "Conv"], {"pads": [1, 1, 1, 1]}, 2, -4, 1, 2),
        (["SpaceToDepth", "DepthToSpace"], {"blocksize": 2}, 1, -2, 1, 0),
        (["Pad", "Conv", "DepthToSpace"], {"blocksize": 2}, 0.5, -3, 0, 4),
        (["Resize"], {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}, 0.5, -1, 1, 0),
        (["Pad", "Resize"], {"mode": "linear"}, 0.5, -3.25, -1.25, 8),
    ],
)
def test_field_of_each_operator(
    operators: list[str], attributes: dict[str, Any], step: float, first: float, last: float, extra: int
) -> None:
    model = graph(*operators, **attributes)
    for node in model.graph.node:
        if node.op_type == "SpaceToDepth" and not node.attribute:
            node.attribute.append(helper.make_attribute("blocksize", 2))
    field = receptive_field.of(model)[str(len(operators))]
    assert field == receptive_field.ImageField(Fraction(step), Fraction(first), Fraction(last), (2, 3), Fraction(extra))


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "first", "extra"),
    [
        ([1, 1], [-2, -2], [2, 3], -1, 1),
        ([0, 0], [64, 64], [2, 3], -2, 0),  # a crop to the size of the image
        ([0], [1], [1], -2, 4),
        ([0], [-1], [1], -2, 4),
    ],
)
def test_field_of_a_slice(starts: list[int], ends: list[int], axes: list[int], first: int, extra: int) -> None:
    model = graph("Pad", "Slice")
    names = ["starts", "ends", "axes"]
    model.graph.node[1].input.extend(names)
    for name, values in zip(names, (starts, ends, axes), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(np.array(values), name))
    field = receptive_field.of(model)["2"]
    assert field == receptive_field.ImageField(Fraction(1), Fraction(first), Fraction(first), (2, 3), Fraction(extra))


@pytest.mark.parametrize(
    ("operators", "attributes", "sentence"),
    [
        (
            ["GlobalAveragePool"],
            {},
            r"^this model depends on the whole image \(GlobalAveragePool\), so .*raise tiles\.threshold_mp",
        ),
        (["Resize"], {"coordinate_transformation_mode": "align_corners"}, r"depends on the whole image \(Resize\)"),
        (["Gather"], {"axis": -1}, r"depends on the whole image \(Gather\)"),
        (["Gather"], {"axis": 2}, r"depends on the whole image \(Gather\)"),
        (["Conv"], {"pads": [1, 0, 1, 0]}, r"a kind of window that is not supported \(Conv\)"),
        (["MaxPool"], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, r"not supported \(MaxPool\)"),
        (["Conv"], {"auto_pad": "SAME_UPPER"}, r"a kind of window that is not supported \(Conv\)"),
        (["MaxPool"], {"kernel_shape": [2, 2], "strides": [2, 2]}, "changes the size of the image"),
    ],
)
def test_multiple_of_an_untileable_model_raises(
    operators: list[str], attributes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        receptive_field.multiple(graph(*operators, **attributes))


@pytest.mark.parametrize("name", ["mobile", slow("johnson")])
def test_margin_is_exactly_the_reach_of_a_network(written: Written, name: str) -> None:
    model = onnx.load(written(name, "uint8_rgba"))
    assert receptive_field.multiple(model) == 4
    margin = receptive_field.margin(receptive_field.of(model), ["stylized"])
    channels = instance_norm.channels(model)
    known = instance_norm.known(model, [(np.zeros(c, np.float32), np.ones(c, np.float32)) for c in channels])
    session = onnx_model.open_session(known.SerializeToString(), 1)
    random = np.random.default_rng(0)
    side = 2 * margin + 40
    image = random.integers(0, 256, (1, side, side, 4), np.uint8)
    inside = slice(margin + 8, margin + 24)

    def tile(free: int) -> Any:
        """The output inside, where everything further than `free` px away is other noise."""
        near = slice(max(0, inside.start - free), inside.stop + free)
        changed = random.integers(0, 256, image.shape, np.uint8)
        changed[:, near, near] = image[:, near, near]
        return session.run(None, {"image": changed})[0][:, inside, inside, :3].astype(int)

    assert np.abs(tile(margin) - tile(side)).max() == 0
    assert np.abs(tile(margin // 2) - tile(side)).max() > 0  # it is not wider than necessary
