"""The receptive fields of the values of an ONNX graph, computed from the graph."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from impasto.configs.errors import UsageError
from impasto.models.receptive_field import Field

_POINTWISE = {
    *("Abs", "Add", "BatchNormalization", "Cast", "Clip", "Concat", "Div", "Elu", "Exp", "Gelu", "HardSigmoid"),
    *("HardSwish", "Identity", "InstanceNormalization", "LeakyRelu", "Max", "Min", "Mul", "Neg", "PRelu", "Pow"),
    *("Relu", "Round", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh", "Transpose", "Where"),
}
_WINDOWS = {"AveragePool", "Conv", "MaxPool"}
_WINDOW = "has a kind of window that is not supported ({})"
_TAPS = {"nearest": 1, "linear": 1, "cubic": 2}  # of Resize: how far it reaches, in steps of its input


@dataclass(frozen=True)
class ImageField(Field):
    """The receptive field of a value with rows and columns.

    Attributes:
        axes: Those of height and width.
        extra: How many more rows it has than one for each step of the image, because of a border; so of columns.
    """

    axes: tuple[int, int] = (2, 3)
    extra: Fraction = Fraction(0)


def multiple(model: onnx.ModelProto) -> int:
    """Return the number of px that must divide the offset of a tile, for it to be computed as within the whole image.

    Raises:
        UsageError: The model cannot run on tiles.
    """
    fields, constants = of(model), _constants(model)
    if fields[model.graph.output[0].name].step != 1:
        raise _unsupported("changes the size of the image")
    # Padding to a multiple depends on the remainder of the image's size, which a tile must share.
    moduli = [int(constants[node.input[1]]) for node in model.graph.node if node.op_type == "Mod"]
    return math.lcm(*(value.step.numerator for value in fields.values()), *moduli)


def margin(fields: Mapping[str, ImageField], outputs: Iterable[str], step: Fraction | int = 1) -> int:
    """Return the px around a tile that `outputs` depend on; `step` is the one of the values where the fields start."""
    return max(fields[name].margin(step) for name in outputs)


def of(model: onnx.ModelProto, sources: Mapping[str, Fraction] | None = None) -> dict[str, ImageField]:
    """Return the field of each value that has rows and columns, by its name.

    Fields start from the image and from `sources`: float values [1, C, H, W], with their steps.
    """
    fields = {name: ImageField(step) for name, step in (sources or {}).items()}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name not in fields and len(kind.shape.dim) == 4:
            fields[value.name] = ImageField(axes=(1, 2) if kind.elem_type == onnx.TensorProto.UINT8 else (2, 3))
    constants = _constants(model)
    for node in model.graph.node:
        inputs = [fields[name] for name in node.input if name in fields]
        if inputs and node.op_type != "Shape" and node.output[0] not in fields:
            fields[node.output[0]] = _field(node, inputs, constants)
    return fields


def _field(node: NodeProto, sources: list[ImageField], constants: Mapping[str, NDArray[Any]]) -> ImageField:
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    source, kind = sources[0], node.op_type
    if kind in _POINTWISE:
        return _union(node, sources, attributes)
    if kind in _WINDOWS:
        return _window(node, source, attributes)
    if kind == "Pad":
        # Only padding to a multiple depends on the size, and it adds at the end.
        pads = constants.get(node.input[1], np.zeros(8, int))
        before = {int(pads[axis]) for axis in source.axes}
        extra = _equal((source.extra + pads[axis] + pads[axis + 4] for axis in source.axes), kind)
        return replace(source, extra=extra).extend(-max(before), -min(before))
    if kind == "Gather" and attributes.get("axis", 0) % 4 not in source.axes:
        return source
    if kind == "Slice" and (field := _slice(node, source, constants)) is not None:
        return field
    coordinates = attributes.get("coordinate_transformation_mode", b"half_pixel")
    if kind == "Resize" and len(node.input) == 3 and coordinates != b"align_corners":
        (scale,) = {Fraction(float(constants[node.input[2]][axis])) for axis in source.axes}
        half = coordinates != b"asymmetric"
        shift = (1 / scale - 1) / 2 if half else Fraction(0)
        taps = _TAPS[attributes.get("mode", b"nearest").decode()]
        return replace(source, extra=source.extra * scale).extend(shift - taps, shift + taps).strided(1 / scale)
    if kind == "DepthToSpace":
        block = attributes["blocksize"]
        return replace(source, extra=source.extra * block).extend(-1, 0).strided(Fraction(1, block))
    if kind == "SpaceToDepth":
        block = attributes["blocksize"]
        return replace(source, extra=Fraction(source.extra // block)).window(block, block)
    raise _unsupported(f"depends on the whole image ({kind})")


def _union(node: NodeProto, sources: list[ImageField], attributes: Mapping[str, Any]) -> ImageField:
    (step, axes), *others = {(source.step, source.axes) for source in sources}
    if others or (node.op_type == "Concat" and attributes["axis"] in axes):
        raise _unsupported(f"joins images of two sizes ({node.op_type})")
    if node.op_type == "Transpose":
        height, width = (list(attributes["perm"]).index(axis) for axis in axes)
        axes = height, width
    first, last = min(source.first for source in sources), max(source.last for source in sources)
    return ImageField(step, first, last, axes, max(source.extra for source in sources))


def _window(node: NodeProto, source: ImageField, attributes: Mapping[str, Any]) -> ImageField:
    kernel = attributes["kernel_shape"]
    strides, spread = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    pads = attributes.get("pads", [0, 0, 0, 0])
    before = pads[:2]
    after = [(k - 1) * d - p for k, d, p in zip(kernel, spread, before, strict=True)]
    if strides[0] != strides[1] or attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("ceil_mode"):
        raise _unsupported(_WINDOW.format(node.op_type))
    ends = zip(after, pads[2:], strict=True)
    extra = _equal(((source.extra - beyond + pad - 1) // strides[0] + 1 for beyond, pad in ends), node.op_type)
    return replace(source, extra=extra).extend(-max(before), max(after)).strided(strides[0])


def _equal(extras: Iterable[Fraction | int], operator: str) -> Fraction:
    """The number of rows that a border adds, which must be that of columns."""
    extra, *others = {Fraction(extra) for extra in extras}
    if others:
        raise _unsupported(_WINDOW.format(operator))
    return extra


def _slice(node: NodeProto, source: ImageField, constants: Mapping[str, NDArray[Any]]) -> ImageField | None:
    """The field of a slice; None where its start along height or width, or its step, depends on the image."""
    axes = [int(axis) for axis in constants[node.input[3]]]
    if not {*axes} & {*source.axes}:
        return source
    starts = constants.get(node.input[1])
    steps = constants.get(node.input[4] if len(node.input) > 4 else "", np.ones(4))
    if starts is None or (starts < 0).any() or (steps != 1).any():
        return None
    begins = dict(zip(axes, map(int, starts), strict=True))
    first = [begins.get(axis, 0) for axis in source.axes]
    ends = constants.get(node.input[2])
    if ends is None or (ends >= 0).any():  # the size of the image
        extra = Fraction(0)
    else:
        last = dict(zip(axes, map(int, ends), strict=True))
        cuts = (begins.get(axis, 0) - last.get(axis, 0) for axis in source.axes)
        extra = _equal((source.extra - cut for cut in cuts), node.op_type)
    return replace(source, extra=extra).extend(min(first), max(first))


def _unsupported(what: str) -> UsageError:
    return UsageError(
        f"this model {what}, so it cannot run on tiles; raise tiles.threshold_mp (of a video tiles.video_threshold_mp)"
    )


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
