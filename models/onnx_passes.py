"""The ONNX operators of `coarse_to_fine.stylize`."""

from collections.abc import Callable

from impasto.configs.schema.model import BLOCK
from impasto.models import coarse_to_fine
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
    difference = graph.add("Abs", graph.add("Sub", photo, graph.upsample(half, 2.0, "bilinear")))
    detail = _mean(graph, difference, BLOCK)
    square = graph.add("Mul", detail, detail)
    around = [coarse_to_fine.NEAR // 2] * 4
    largest = graph.add("MaxPool", square, kernel_shape=[coarse_to_fine.NEAR] * 2, pads=around, strides=[1, 1])
    weight = graph.constant(coarse_to_fine.SHARE * coarse_to_fine.DETAIL**2)
    factors = [
        graph.add("Div", value, graph.add("Add", other, graph.constant(limit**2)))
        for value, other, limit in ((weight, square, coarse_to_fine.DETAIL), (largest, largest, coarse_to_fine.FLAT))
    ]
    share = graph.add("Relu", graph.add("Sub", graph.add("Mul", *factors), graph.constant(coarse_to_fine.LEAST)))
    added = graph.add("Mul", graph.upsample(share, BLOCK / 2, "bilinear"), change)
    return network(graph.add("Add", photo, graph.upsample(added, 2.0, "bilinear")))


def _mean(graph: GraphBuilder, x: str, side: int) -> str:
    """The means of squares."""
    return graph.add("AveragePool", x, kernel_shape=[side, side], strides=[side, side])
