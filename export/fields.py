"""Where a network looks: which pixels a value of an ONNX graph depends on, read off the graph itself."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from impasto.configs.errors import RequestError

_POINTWISE = {
    *("Abs", "Add", "BatchNormalization", "Cast", "Clip", "Concat", "Div", "Elu", "Exp", "Gelu", "HardSigmoid"),
    *(
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "LeakyRelu",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "PRelu",
        "Pow",
        "Relu",
    ),
    *("Round", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh", "Transpose", "Where"),
}
_WINDOWS = {"AveragePool", "Conv", "MaxPool"}
_TAPS = {"nearest": 1, "linear": 1, "cubic": 2}  # of Resize: how far it looks, in steps of its input


@dataclass(frozen=True)
class Field:
    """Row i of a value depends on pixel rows `first + i * step` to `last + i * step`; so do columns.

    `axes` are those of height and width. Borders are left out of account: what lies beyond one depends on what lies
    before it, no further away.
    """

    axes: tuple[int, int]
    step: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)


def multiple(model: onnx.ModelProto) -> int:
    """What must divide the offset of a tile, in px, for it to be computed as it is within the whole picture.

    Raises RequestError for a model that cannot work in tiles.
    """
    found, constants = of(model), _constants(model)
    if found[model.graph.output[0].name].step != 1:
        raise _refusal("changes the size of its picture")
    # Padding to a multiple reads the remainder of the picture's size, which a tile must share.
    moduli = [int(constants[node.input[1]]) for node in model.graph.node if node.op_type == "Mod"]
    return math.lcm(*(value.step.numerator for value in found.values()), *moduli)


def margin(found: Mapping[str, Field], outputs: Iterable[str], step: Fraction | int = 1) -> int:
    """How many px around a tile must be known to compute `outputs`, whose fields start from values of this step."""
    return max(math.ceil(max(-found[name].first, found[name].last - found[name].step + step)) for name in outputs)


def of(model: onnx.ModelProto, sources: Mapping[str, Fraction] | None = None) -> dict[str, Field]:
    """The field of each value that has rows and columns, by its name.

    Fields start from the image and from `sources`: float values [1, C, H, W], with their steps.
    """
    found = {name: Field((2, 3), step) for name, step in (sources or {}).items()}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name not in found and len(kind.shape.dim) == 4:
            found[value.name] = Field((1, 2) if kind.elem_type == onnx.TensorProto.UINT8 else (2, 3))
    constants = _constants(model)
    for node in model.graph.node:
        inputs = [found[name] for name in node.input if name in found]
        if inputs and node.op_type != "Shape" and node.output[0] not in found:
            found[node.output[0]] = _field(node, inputs, constants)
    return found


def _field(node: NodeProto, sources: list[Field], constants: Mapping[str, NDArray[Any]]) -> Field:
    said = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    source, kind = sources[0], node.op_type
    if kind in _POINTWISE:
        return _union(node, sources, said)
    if kind in _WINDOWS:
        return _window(node, source, said)
    if kind == "Pad":
        # Only padding to a multiple depends on the size, and it adds at the end.
        pads = constants.get(node.input[1], np.zeros(8, int))
        before = {int(pads[axis]) for axis in source.axes}
        return _moved(source, -max(before), -min(before))
    if kind == "Slice" and (starts := _starts(node, source, constants)) is not None:
        return _moved(source, min(starts), max(starts))
    if kind == "Resize" and len(node.input) == 3 and said.get("coordinate_transformation_mode") != b"align_corners":
        (scale,) = {Fraction(float(constants[node.input[2]][axis])) for axis in source.axes}
        half = said.get("coordinate_transformation_mode", b"half_pixel") != b"asymmetric"
        shift = (1 / scale - 1) / 2 if half else Fraction(0)
        taps = _TAPS[said.get("mode", b"nearest").decode()]
        return replace(_moved(source, shift - taps, shift + taps), step=source.step / scale)
    if kind == "DepthToSpace":
        return replace(_moved(source, -1, 0), step=source.step / said["blocksize"])
    if kind == "SpaceToDepth":
        return replace(_moved(source, 0, said["blocksize"] - 1), step=source.step * said["blocksize"])
    raise _refusal(f"looks at the whole picture ({kind})")


def _union(node: NodeProto, sources: list[Field], said: Mapping[str, Any]) -> Field:
    (step, axes), *others = {(source.step, source.axes) for source in sources}
    if others or (node.op_type == "Concat" and said["axis"] in axes):
        raise _refusal(f"joins pictures of two sizes ({node.op_type})")
    if node.op_type == "Transpose":
        height, width = (list(said["perm"]).index(axis) for axis in axes)
        axes = height, width
    return Field(axes, step, min(source.first for source in sources), max(source.last for source in sources))


def _window(node: NodeProto, source: Field, said: Mapping[str, Any]) -> Field:
    kernel = said["kernel_shape"]
    strides, spread = said.get("strides", [1, 1]), said.get("dilations", [1, 1])
    before = said.get("pads", [0, 0, 0, 0])[:2]
    after = [(k - 1) * d - p for k, d, p in zip(kernel, spread, before, strict=True)]
    if strides[0] != strides[1] or said.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise _refusal(f"has windows of a kind that is not known here ({node.op_type})")
    return replace(_moved(source, -max(before), max(after)), step=source.step * strides[0])


def _moved(source: Field, first: Fraction | int, last: Fraction | int) -> Field:
    """A field that looks further, by steps of its source: to `first` before, to `last` behind."""
    return replace(source, first=source.first + first * source.step, last=source.last + last * source.step)


def _starts(node: NodeProto, source: Field, constants: Mapping[str, NDArray[Any]]) -> list[int] | None:
    """Where a slice begins along height and width; None where that, or its step, depends on the picture."""
    axes = [int(axis) for axis in constants[node.input[3]]]
    if not {*axes} & {*source.axes}:
        return [0]
    starts, steps = (
        constants.get(node.input[1]),
        constants.get(node.input[4] if len(node.input) > 4 else "", np.ones(4)),
    )
    if starts is None or (starts < 0).any() or (steps != 1).any():
        return None
    begins = dict(zip(axes, map(int, starts), strict=True))
    return [begins.get(axis, 0) for axis in source.axes]


def _refusal(what: str) -> RequestError:
    return RequestError(f"this model {what}, so it cannot work in tiles; raise tiles.above (of a video tiles.frames)")


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
