"""The LiteRT operators of `coarse_to_fine.stylize`, on NHWC tensors."""

from collections.abc import Callable
from typing import Any

from impasto.configs.schema.model import BLOCK
from impasto.export.litert.graph import Graph, Value
from impasto.export.litert.schema import (
    ABS,
    ADD,
    AVERAGE_POOL_2D,
    MAX_POOL_2D,
    MUL,
    RELU_LAYER,
    RSQRT,
    SAME,
    SQUARE,
    SUB,
    VALID,
    Operator,
    Pool2D,
)
from impasto.models.coarse_to_fine import AROUND, DETAIL, FLAT, LEAST, NEAR, SHARE, SMOOTH, TONE


def write(graph: Graph, network: Callable[[Value], Value], passes: int, photo: Value) -> Value:
    """Add the passes of a network.

    Args:
        graph: The graph.
        network: Adds one pass to it, from RGB 0..255 [1, H, W, 3] to the same.
        passes: The number of passes.
        photo: RGB 0..255 [1, H, W, 3].

    Returns:
        RGB 0..255 [1, H, W, 3].
    """
    if passes == 1:
        return network(photo)
    half = _pool(graph, photo, 2)
    change = graph.add(SUB, [write(graph, network, passes - 1, half), half])
    added = graph.add(MUL, [_share(graph, photo, half), _strokes(graph, change)])
    return network(graph.add(ADD, [photo, graph.upsample(added, 2)]))


def _strokes(graph: Graph, change: Value) -> Value:
    tone = _around(graph, _pool(graph, change, BLOCK // 2), TONE, AVERAGE_POOL_2D)
    return graph.add(SUB, [change, graph.upsample(tone, BLOCK // 2)])


def _share(graph: Graph, photo: Value, half: Value) -> Value:
    difference = graph.add(ABS, [graph.add(SUB, [photo, graph.upsample(half, 2)])])
    square = graph.add(SQUARE, [_pool(graph, difference, BLOCK)])
    detail = _around(graph, _around(graph, square, AROUND, MAX_POOL_2D), SMOOTH, AVERAGE_POOL_2D)
    largest = _around(graph, square, NEAR, MAX_POOL_2D)
    inverses = [
        graph.add(SQUARE, [graph.add(RSQRT, [graph.add(ADD, [value, graph.number(limit**2)])])])
        for value, limit in ((detail, DETAIL), (largest, FLAT))
    ]
    weakened = graph.add(MUL, [inverses[0], graph.number(SHARE * DETAIL**2)])
    product = graph.add(MUL, [weakened, graph.add(MUL, [inverses[1], largest])])
    share = graph.add(RELU_LAYER, [graph.add(SUB, [product, graph.number(LEAST)])])
    return graph.upsample(share, BLOCK // 2)


def _pool(graph: Graph, x: Value, side: int) -> Value:
    """The means of squares side by side."""
    batch, height, width, channels = x.shape
    shape = batch, height // side, width // side, channels
    return graph.add(AVERAGE_POOL_2D, [x], shape, _options(side, side, VALID))


def _around(graph: Graph, x: Value, side: int, operator: Operator) -> Value:
    """The means or maxima of the square around each value, without padding."""
    return graph.add(operator, [x], x.shape, _options(side, 1, SAME))


def _options(side: int, stride: int, padding: int) -> dict[Any, int]:
    sides = {Pool2D.STRIDE_W: stride, Pool2D.STRIDE_H: stride, Pool2D.FILTER_WIDTH: side, Pool2D.FILTER_HEIGHT: side}
    return {Pool2D.PADDING: padding} | sides
