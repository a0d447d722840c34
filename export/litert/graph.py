"""The subgraphs of a .tflite file: operators on NHWC tensors of fixed sizes, and the buffers that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.export.litert.schema import (
    ADD,
    CONCATENATION,
    DEQUANTIZE_FP16,
    RELU,
    RESIZE_BILINEAR,
    RESIZE_NEAREST_NEIGHBOR,
    SLICE,
    Add,
    Concatenation,
    Field,
    Operator,
    ResizeBilinear,
    Type,
)

_TYPES = {"float32": Type.FLOAT32, "float16": Type.FLOAT16, "int32": Type.INT32}
_MIN_HALVED = 128  # elements: a DEQUANTIZE and its output take as many bytes as a smaller weight saves
_MOST_JOINED = 5  # tensors that XNNPACK concatenates
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor of a subgraph by its index, with its shape and type."""

    index: int
    shape: Shape
    type: Type


@dataclass(frozen=True)
class Tensor:
    """What a file stores of a tensor; buffer 0 is empty."""

    shape: Shape
    type: Type
    buffer: int = 0
    name: str = ""


@dataclass(frozen=True)
class Node:
    """An operator of a subgraph, with the indices of its inputs and its output."""

    operator: Operator
    inputs: tuple[int, ...]
    output: int
    options: Mapping[Field, int]


class Buffers:
    """The constants of a file; equal ones of all subgraphs are one."""

    def __init__(self) -> None:
        self._indices = {b"": 0}

    def add(self, content: bytes) -> int:
        """Add a buffer; its index."""
        return self._indices.setdefault(content, len(self._indices))

    @property
    def contents(self) -> list[bytes]:
        """The buffers in the order of their indices; the first is empty."""
        return [*self._indices]


@dataclass
class Graph:
    """One subgraph."""

    buffers: Buffers
    tensors: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    _constants: dict[tuple[str, Shape, bytes], Value] = field(default_factory=dict)
    _weights: dict[int, Value] = field(default_factory=dict)

    def tensor(self, shape: Sequence[int], type: Type = Type.FLOAT32, buffer: int = 0) -> Value:
        """Add a tensor."""
        self.tensors.append(Tensor(tuple(shape), type, buffer))
        return Value(len(self.tensors) - 1, tuple(shape), type)

    def name(self, value: Value, name: str) -> None:
        """Name a tensor."""
        self.tensors[value.index] = replace(self.tensors[value.index], name=name)

    def constant(self, array: NDArray[Any]) -> Value:
        """Add a constant."""
        key = array.dtype.name, array.shape, array.tobytes()
        if key not in self._constants:
            self._constants[key] = self.tensor(array.shape, _TYPES[array.dtype.name], self.buffers.add(key[2]))
        return self._constants[key]

    def integers(self, *values: int) -> Value:
        """Add a constant vector of integers."""
        return self.constant(np.array(values, np.int32))

    def number(self, value: float) -> Value:
        """Add a constant number."""
        return self.constant(np.array([value], np.float32))

    def weight(self, array: NDArray[np.float32]) -> Value:
        """Add a weight: a large one is stored in 16 bits, and expanded where the file is loaded."""
        if array.size < _MIN_HALVED:
            return self.constant(array)
        stored = self.constant(array.astype(np.float16))
        if stored.index not in self._weights:
            self._weights[stored.index] = self.add(DEQUANTIZE_FP16, [stored], array.shape)
        return self._weights[stored.index]

    def add(
        self,
        operator: Operator,
        inputs: Sequence[Value],
        shape: Sequence[int] | None = None,
        options: Mapping[Field, int] | None = None,
        type: Type = Type.FLOAT32,
    ) -> Value:
        """Add an operator; its output, by default of the shape of its first input."""
        output = self.tensor(inputs[0].shape if shape is None else shape, type)
        self.nodes.append(Node(operator, tuple(value.index for value in inputs), output.index, options or {}))
        return output

    def relu(self, x: Value) -> bool:
        """Fuse a ReLU into the operator that computes x; whether this is possible."""
        last = self.nodes[-1]
        if last.output != x.index or last.operator != ADD:
            return False
        self.nodes[-1] = replace(last, options={Add.ACTIVATION: RELU})
        return True

    def upsample(self, x: Value, factor: int, mode: str = "bilinear") -> Value:
        """Add an enlargement by a factor, `bilinear` or `nearest`."""
        batch, height, width, channels = x.shape
        height, width = (factor * side for side in (height, width))
        size, shape = self.integers(height, width), (batch, height, width, channels)
        if mode == "bilinear":
            return self.add(RESIZE_BILINEAR, [x, size], shape, {ResizeBilinear.HALF_PIXEL_CENTERS: True})
        return self.add(RESIZE_NEAREST_NEIGHBOR, [x, size], shape)

    def slice(self, x: Value, axis: int, start: int, count: int = 1) -> Value:
        """Add a slice of an axis."""
        begin = tuple(start if each == axis else 0 for each in range(len(x.shape)))
        shape = tuple(count if each == axis else side for each, side in enumerate(x.shape))
        return self.add(SLICE, [x, self.integers(*begin), self.integers(*shape)], shape)

    def concatenate(self, parts: Sequence[Value], axis: int) -> Value:
        """Add a concatenation along an axis."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self.add(CONCATENATION, parts, shape, {Concatenation.AXIS: axis})

    def reflect(self, x: Value, pads: tuple[tuple[int, int], tuple[int, int]]) -> Value:
        """Add a reflection padding by (before, after) of height and width.

        It is written as slices and concatenations: XNNPACK has no MIRROR_PAD, which makes a network three times slower.
        XNNPACK concatenates five tensors at most, so paddings of up to five px at a side are joined first.
        """
        for axis, (before, after) in enumerate(pads, 1):
            side = x.shape[axis]
            first = [self.slice(x, axis, at) for at in range(before, 0, -1)]
            last = [self.slice(x, axis, side - 1 - at) for at in range(1, after + 1)]
            if len(first) + len(last) >= _MOST_JOINED:
                first, last = ([self.concatenate(rows, axis)] if len(rows) > 1 else rows for rows in (first, last))
            x = self.concatenate([*first, x, *last], axis) if first or last else x
        return x
