"""Run a .tflite file as a GPU that computes in 16-bit floats might: NumPy, each result rounded to fp16.

GPUs of phones differ, and none is documented to the bit. Two assumptions are made: an operator adds up in 32 bits and
rounds its result, and numbers that are subnormal in fp16 become 0.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed
from impasto.export.litert import schema
from impasto.export.litert.reader import StoredNode, StoredSubgraph
from impasto.export.test_images import Pixels

_MIN_NORMAL = np.float32(2.0**-14)
_DTYPES: dict[schema.Type, np.dtype[Any]] = {
    schema.Type.FLOAT32: np.dtype("<f4"),
    schema.Type.FLOAT16: np.dtype("<f2"),
    schema.Type.INT32: np.dtype("<i4"),
    schema.Type.UINT8: np.dtype("u1"),
}
Values = NDArray[Any]


def stylize(subgraph: StoredSubgraph, rgba: Pixels, weights: Sequence[float] = ()) -> Pixels:
    """Run a subgraph on RGBA bytes [H, W, 4]; `weights` are those of the styles of a store.

    Raises:
        CheckFailed: A result is not finite in fp16, or an operator is unknown.
        ValueError: The inputs of the subgraph are others.
    """
    values: dict[int, Values] = {
        index: _constant(tensor.content, tensor.type, tensor.shape)
        for index, tensor in enumerate(subgraph.tensors)
        if tensor.content
    }
    inputs = [rgba[None], *([_rounded(np.array([[[weights]]], np.float32), None)] if weights else [])]
    values |= zip(subgraph.inputs, inputs, strict=True)
    uses = Counter(index for node in subgraph.nodes for index in node.inputs) + Counter([subgraph.output])
    for number, node in enumerate(subgraph.nodes):
        if node.code not in _OPERATORS:
            raise CheckFailed(f"the simulation of fp16 does not know operator {node.code}")
        result = _OPERATORS[node.code](node, *(values[index] for index in node.inputs))
        values[node.output] = _rounded(result, number) if result.dtype == np.float32 else result
        for index in node.inputs:  # free what is no longer needed: images may be large
            uses[index] -= 1
            if not uses[index]:
                values.pop(index, None)
    return values[subgraph.output][0]


def _constant(content: bytes, type: schema.Type, shape: Sequence[int]) -> Values:
    values: Values = np.frombuffer(content, _DTYPES[type]).reshape(shape)
    return _rounded(values, None) if type == schema.Type.FLOAT32 else values


def _rounded(values: Values, operator: int | None) -> Values:
    """float32 values that fp16 has: rounded to them, subnormal ones to 0."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float16).astype(np.float32)
    result[np.abs(result) < _MIN_NORMAL] = 0
    if not np.isfinite(result).all():
        where = "a constant" if operator is None else f"operator {operator}"
        raise CheckFailed(f"fp16 overflows at {where}")
    return result


def _add(node: StoredNode, x: Values, y: Values) -> Values:
    result: Values = x + y
    return np.maximum(result, 0) if node.option(schema.Add.ACTIVATION) == schema.RELU else result


def _cast(node: StoredNode, x: Values) -> Values:
    return x.astype(_DTYPES[schema.Type(node.option(schema.Cast.TO))])


def _concatenate(node: StoredNode, *parts: Values) -> Values:
    return np.concatenate(parts, node.option(schema.Concatenation.AXIS))


def _conv_2d(node: StoredNode, x: Values, weight: Values, bias: Values) -> Values:
    """`weight` is [output, height, width, input]."""
    strides = node.option(schema.Conv2D.STRIDE_H), node.option(schema.Conv2D.STRIDE_W)
    return _sum_of_taps(x, weight.shape[1:3], strides, lambda tap, i, j: tap @ weight[:, i, j].T) + bias


def _depthwise(node: StoredNode, x: Values, weight: Values, bias: Values) -> Values:
    """`weight` is [1, height, width, channels]."""
    strides = node.option(schema.DepthwiseConv2D.STRIDE_H), node.option(schema.DepthwiseConv2D.STRIDE_W)
    return _sum_of_taps(x, weight.shape[1:3], strides, lambda tap, i, j: tap * weight[0, i, j]) + bias


def _sum_of_taps(
    x: Values, kernel: Sequence[int], strides: tuple[int, int], product: Callable[[Values, int, int], Values]
) -> Values:
    """The sum over a kernel's positions of the product with the part of x that lies below each."""
    height, width = (
        (side - size) // stride + 1 for side, size, stride in zip(x.shape[1:3], kernel, strides, strict=True)
    )
    total: Any = 0
    for i, j in np.ndindex(*kernel):
        rows = slice(i, i + strides[0] * (height - 1) + 1, strides[0])
        columns = slice(j, j + strides[1] * (width - 1) + 1, strides[1])
        total = total + product(x[:, rows, columns], i, j)
    result: Values = total
    return result


def _average_pool(node: StoredNode, x: Values) -> Values:
    """Squares side by side, or the square around each value, without padding, as the writer declares them."""
    side = node.option(schema.Pool2D.FILTER_WIDTH)
    if node.option(schema.Pool2D.PADDING) == schema.SAME:
        return np.asarray(np.nanmean(_squares(x, side, np.nan), (-2, -1), dtype=np.float32))
    batch, height, width, channels = x.shape
    squares: Values = x.reshape(batch, height // side, side, width // side, side, channels)
    result: Values = squares.mean((2, 4), dtype=np.float32)
    return result


def _max_pool(node: StoredNode, x: Values) -> Values:
    """The largest value of the square around each, as the writer declares it."""
    result: Values = _squares(x, node.option(schema.Pool2D.FILTER_WIDTH), -np.inf).max((-2, -1))
    return result


def _squares(x: Values, side: int, padding: float) -> Values:
    """The square around each value, [1, H, W, C, side, side]."""
    pads = [(side // 2, side // 2) if axis in (1, 2) else (0, 0) for axis in range(4)]
    padded = np.pad(x, pads, constant_values=padding)
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))


def _depth_to_space(node: StoredNode, x: Values) -> Values:
    block = node.option(schema.DepthToSpace.BLOCK_SIZE)
    batch, height, width, channels = x.shape
    parts = x.reshape(batch, height, width, block, block, channels // block**2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * block, width * block, -1)


def _bilinear(node: StoredNode, x: Values, size: Values) -> Values:
    """Half-pixel centers, as the writer declares them."""
    for axis, length in enumerate(size.tolist(), 1):
        at = np.clip((np.arange(length) + 0.5) * x.shape[axis] / length - 0.5, 0, x.shape[axis] - 1)
        low = at.astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = (at - low).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(4)])
        x = x.take(low, axis) * (1 - weight) + x.take(high, axis) * weight
    return x


def _nearest(node: StoredNode, x: Values, size: Values) -> Values:
    for axis, length in enumerate(size.tolist(), 1):
        x = x.take(np.arange(length) * x.shape[axis] // length, axis)
    return x


def _slice(node: StoredNode, x: Values, begin: Values, size: Values) -> Values:
    return x[tuple(slice(start, start + count) for start, count in zip(begin.tolist(), size.tolist(), strict=True))]


_OPERATORS: dict[int, Callable[..., Values]] = {
    schema.ABS.code: lambda node, x: np.abs(x),
    schema.ADD.code: _add,
    schema.AVERAGE_POOL_2D.code: _average_pool,
    schema.CAST.code: _cast,
    schema.CONCATENATION.code: _concatenate,
    schema.CONV_2D.code: _conv_2d,
    schema.DEPTH_TO_SPACE.code: _depth_to_space,
    schema.DEPTHWISE_CONV_2D.code: _depthwise,
    schema.DEQUANTIZE_FP16.code: lambda node, x: x.astype(np.float32),
    schema.LOGISTIC.code: lambda node, x: 1 / (1 + np.exp(-x)),
    schema.MAX_POOL_2D.code: _max_pool,
    schema.MEAN.code: lambda node, x, axes: x.mean(tuple(axes.tolist()), keepdims=True, dtype=np.float32),
    schema.MUL.code: lambda node, x, y: x * y,
    schema.RELU_LAYER.code: lambda node, x: np.maximum(x, 0),
    schema.RESIZE_BILINEAR.code: _bilinear,
    schema.RESIZE_NEAREST_NEIGHBOR.code: _nearest,
    schema.ROUND.code: lambda node, x: np.rint(x),
    schema.RSQRT.code: lambda node, x: 1 / np.sqrt(x),
    schema.SLICE.code: _slice,
    schema.SQUARE.code: lambda node, x: np.square(x),
    schema.SUB.code: lambda node, x, y: x - y,
}
