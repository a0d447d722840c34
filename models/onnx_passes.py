"""The ONNX operators of `coarse_to_fine.stylize`."""

from collections.abc import Callable

from impasto.configs.schema.model import BLOCK
from impasto.models.coarse_to_fine import AROUND, DETAIL, FLAT, LEAST, NEAR, SHARE, SMOOTH, TONE
from impasto.models.graph_builder import GraphBuilder


def write(graph: GraphBuilder, network: Callable[[str], str], passes: int, photo: str) -> str:
    """Add the passes of a network.

    Args:
        graph: The graph.
        network: Adds one pass to it, from the name of RGB 0..255 to that of the result.
        passes: The number of passes.
        photo: The name of RGB 0..255.

    Returns:
        The name of the result, RGB 0..255.
    """
    if passes == 1:
        return network(photo)
    half = _mean(graph, photo, 2)
    change = graph.add("Sub", write(graph, network, passes - 1, half), half)
    added = graph.add("Mul", _share(graph, photo, half), _strokes(graph, change))
    return network(graph.add("Add", photo, graph.upsample(added, 2.0, "bilinear")))


def _strokes(graph: GraphBuilder, change: str) -> str:
    tone = _around(graph, "AveragePool", _mean(graph, change, BLOCK // 2), TONE)
    return graph.add("Sub", change, graph.upsample(tone, BLOCK / 2, "bilinear"))


def _share(graph: GraphBuilder, photo: str, half: str) -> str:
    difference = graph.add("Abs", graph.add("Sub", photo, graph.upsample(half, 2.0, "bilinear")))
    mean = _mean(graph, difference, BLOCK)
    square = graph.add("Mul", mean, mean)
    detail = _around(graph, "AveragePool", _around(graph, "MaxPool", square, AROUND), SMOOTH)
    largest = _around(graph, "MaxPool", square, NEAR)
    factors = [
        graph.add("Div", value, graph.add("Add", other, graph.constant(limit**2)))
        for value, other, limit in ((graph.constant(SHARE * DETAIL**2), detail, DETAIL), (largest, largest, FLAT))
    ]
    share = graph.add("Relu", graph.add("Sub", graph.add("Mul", *factors), graph.constant(LEAST)))
    return graph.upsample(share, BLOCK / 2, "bilinear")


def _mean(graph: GraphBuilder, x: str, side: int) -> str:
    """The means of squares side by side."""
    return graph.add("AveragePool", x, kernel_shape=[side, side], strides=[side, side])


def _around(graph: GraphBuilder, operator: str, x: str, side: int) -> str:
    """The mean or the maximum of the square around each value, without padding."""
    return graph.add(operator, x, kernel_shape=[side, side], pads=[side // 2] * 4, strides=[1, 1])
