"""How much memory an ONNX file needs, by calculation: a figure that is the same on every machine."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from impasto.export.label import INPUT
from impasto.models import exported

_SIDE = 256  # px: where tensors are looked at; all but the weights grow with the number of pixels


def needed(path: Path, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """Bytes at each (width, height): of the weights, as float32, and of the tensors that are alive at once, at most.

    A runtime needs more than this: it has work space of its own.
    """
    model = onnx.load(path)
    weights = sum(4 * math.prod(weight.dims) for weight in model.graph.initializer)
    alive = _most_alive(model)
    return [weights + round(alive * width * height / _SIDE**2) for width, height in sizes]


def _most_alive(model: onnx.ModelProto) -> int:
    sizes = _bytes(model)
    last = {name: number for number, node in enumerate(model.graph.node) for name in node.input}
    last |= {value.name: len(model.graph.node) for value in model.graph.output}
    live, most = {INPUT}, 0
    for number, node in enumerate(model.graph.node):
        live |= {name for name in node.output if name}
        most = max(most, sum(sizes[name] for name in live if name in sizes))
        live = {name for name in live if last.get(name, 0) > number}
    return most


def _bytes(model: onnx.ModelProto) -> dict[str, int]:
    """The size of each tensor that the graph computes, and of its picture, at _SIDE."""
    shown = onnx.ModelProto.FromString(model.SerializeToString())
    names = [name for node in model.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    pixels = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    image = np.zeros((1, _SIDE, _SIDE, 4), np.uint8) if pixels else np.zeros((1, 3, _SIDE, _SIDE), np.float32)
    values = exported.open_session(shown.SerializeToString()).run(names, {INPUT: image})
    return {INPUT: image.nbytes} | {name: value.nbytes for name, value in zip(names, values, strict=True)}
