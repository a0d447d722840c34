"""Where a network looks, on graphs of one operator and on whole networks."""

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.configs.errors import RequestError
from impasto.export import fields, norms
from impasto.models import exported
from tests.export.conftest import Written


def graph(*operators: str, **attributes: Any) -> onnx.ModelProto:
    """Operators one after another on a float picture, each with a weight or a list where it takes one."""
    constants: dict[str, Any] = {
        "Conv": np.zeros((1, 1, 3, 3), np.float32),
        "Pad": np.array([0, 0, 2, 2, 0, 0, 2, 2]),
        "Resize": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = []
    for number, operator in enumerate(operators):
        given = [f"{operator}.c"] if operator in constants else []
        inputs = [str(number), *([""] if operator == "Resize" else []), *given]
        said = attributes if number == len(operators) - 1 else {}
        said = said | ({"kernel_shape": [3, 3]} if operator == "Conv" else {})
        nodes.append(helper.make_node(operator, inputs, [str(number + 1)], **said))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, "H", "W"]) for n in ("0", str(len(operators)))]
    tensors = [numpy_helper.from_array(value, f"{name}.c") for name, value in constants.items()]
    return helper.make_model(helper.make_graph(nodes, "test", ends[:1], ends[1:], tensors))


@pytest.mark.parametrize(
    ("operators", "said", "step", "first", "last"),
    [
        (["Relu"], {}, 1, 0, 0),
        (["Conv"], {}, 1, 0, 2),
        (["Conv"], {"pads": [1, 1, 1, 1]}, 1, -1, 1),
        (["Conv"], {"dilations": [3, 3], "strides": [2, 2], "pads": [3, 3, 3, 3]}, 2, -3, 3),
        (["Pad", "Conv"], {}, 1, -2, 0),
        (["SpaceToDepth", "Conv"], {"pads": [1, 1, 1, 1]}, 2, -2, 3),
        (["SpaceToDepth", "DepthToSpace"], {"blocksize": 2}, 1, -2, 1),
        (["Resize"], {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}, 0.5, -1, 1),
        (["Resize"], {"mode": "linear"}, 0.5, -1.25, 0.75),
    ],
)
def test_each_operator(operators: list[str], said: dict[str, Any], step: float, first: float, last: float) -> None:
    model = graph(*operators, **said)
    for node in model.graph.node:
        if node.op_type == "SpaceToDepth" and not node.attribute:
            node.attribute.append(helper.make_attribute("blocksize", 2))
    found = fields.of(model)[str(len(operators))]
    assert found == fields.Field((2, 3), Fraction(step), Fraction(first), Fraction(last))


@pytest.mark.parametrize(
    ("operators", "said", "sentence"),
    [
        (
            ["GlobalAveragePool"],
            {},
            r"^this model looks at the whole picture \(GlobalAveragePool\), .*raise tiles\.above",
        ),
        (["Resize"], {"coordinate_transformation_mode": "align_corners"}, r"looks at the whole picture \(Resize\)"),
        (["Conv"], {"auto_pad": "SAME_UPPER"}, r"windows of a kind that is not known here \(Conv\)"),
        (["MaxPool"], {"kernel_shape": [2, 2], "strides": [2, 2]}, "changes the size of its picture"),
    ],
)
def test_what_cannot_work_in_tiles(operators: list[str], said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        fields.multiple(graph(*operators, **said))


@pytest.mark.parametrize("name", ["mobile", "johnson"])
def test_a_network_looks_as_far_as_its_margin_says(written: Written, name: str) -> None:
    model = onnx.load(written(name, "pixels"))
    assert fields.multiple(model) == 4
    margin = fields.margin(fields.of(model), ["stylized"])
    channels = norms.channels(model)
    known = norms.known(model, [(np.zeros(c, np.float32), np.ones(c, np.float32)) for c in channels])
    session = exported.open_session(known.SerializeToString(), 1)
    random = np.random.default_rng(0)
    side = 2 * margin + 40
    image = random.integers(0, 256, (1, side, side, 4), np.uint8)
    inside = slice(margin + 8, margin + 24)

    def tile(free: int) -> Any:
        """What the inside becomes, where all further than `free` px around it is other noise."""
        near = slice(max(0, inside.start - free), inside.stop + free)
        changed = random.integers(0, 256, image.shape, np.uint8)
        changed[:, near, near] = image[:, near, near]
        return session.run(None, {"image": changed})[0][:, inside, inside, :3].astype(int)

    assert np.abs(tile(margin) - tile(side)).max() == 0
    assert np.abs(tile(margin // 2) - tile(side)).max() > 0  # it is no wider than need be
