"""The memory that an ONNX file needs, computed from its graph: the same figure on every machine."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from impasto.models import onnx_model
from impasto.models.card import STYLES
from impasto.models.contract import INPUT

# px: the size at which tensors are measured. All but the weights grow with the number of pixels, and the border of an
# image, which grows less, makes larger sizes up to 5 % too large.
_SIDE = 256


def estimate(path: Path, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """Return the bytes at each (width, height): the weights as float32, and the peak of the live tensors.

    A runtime needs more than this for its workspace.
    """
    model = onnx.load(path)
    weights = sum(4 * math.prod(weight.dims) for weight in model.graph.initializer)
    peak = _peak_live_bytes(model)
    return [weights + round(peak * width * height / _SIDE**2) for width, height in sizes]


def _peak_live_bytes(model: onnx.ModelProto) -> int:
    sizes = _bytes(model)
    last = {name: number for number, node in enumerate(model.graph.node) for name in node.input}
    last |= {value.name: len(model.graph.node) for value in model.graph.output}
    live, peak = {INPUT}, 0
    for number, node in enumerate(model.graph.node):
        live |= {name for name in node.output if name}
        peak = max(peak, sum(sizes[name] for name in live if name in sizes))
        live = {name for name in live if last.get(name, 0) > number}
    return peak


def _bytes(model: onnx.ModelProto) -> dict[str, int]:
    """The size of the input, and of each tensor that the graph computes, for an image of _SIDE px a side."""
    exposed = onnx.ModelProto.FromString(model.SerializeToString())
    names = [name for node in model.graph.node for name in node.output if name]
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    is_uint8 = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    image = np.zeros((1, _SIDE, _SIDE, 4), np.uint8) if is_uint8 else np.zeros((1, 3, _SIDE, _SIDE), np.float32)
    others = [value for value in model.graph.input if value.name == STYLES]  # of a store
    feeds = {value.name: np.zeros(value.type.tensor_type.shape.dim[0].dim_value, np.float32) for value in others}
    values = onnx_model.open_session(exposed.SerializeToString()).run(names, {INPUT: image} | feeds)
    return {INPUT: image.nbytes} | {name: value.nbytes for name, value in zip(names, values, strict=True)}
