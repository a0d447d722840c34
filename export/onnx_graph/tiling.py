"""Run a model of fixed tile size on an image of any size, as the clients do. No torch here."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.export.contract import INPUT, OUTPUT, Tiling
from impasto.export.onnx_graph.contracts import STATISTICS
from impasto.export.test_images import Pixels


def spans(length: int, tiling: Tiling) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield, along one side of an image, the start of each tile of a fixed size, and the span where it is used.

    Tiles overlap by their margins. StyleTransferLarge.kt and .swift do the same.
    """
    padded = tiling.multiple * -(-length // tiling.multiple)
    last = max(0, padded - tiling.side)
    used = start = 0
    while used < length:
        end = length if start == last else start + tiling.side - tiling.margin
        yield start, (used, end)
        used, start = end, min(start + tiling.side - 2 * tiling.margin, last)


def measure(stats: Any, photo: Pixels) -> NDArray[np.float32]:
    """Return the STATISTICS of RGBA bytes [H, W, 4]; `stats` is a session of ONNX Runtime."""
    (statistics,) = stats.run([STATISTICS], {INPUT: photo[None]})
    return statistics


def stylize(tile: Any, photo: Pixels, statistics: NDArray[np.float32], tiling: Tiling) -> Pixels:
    """Run a session of ONNX Runtime on the tiles of RGBA bytes [H, W, 4] with these STATISTICS."""
    result = photo.copy()
    height, width = photo.shape[:2]
    rows, columns = [*spans(height, tiling)], [*spans(width, tiling)]
    for y, (top, bottom) in rows:
        for x, (left, right) in columns:
            pixels = photo[np.ix_(_indices(y, height, tiling), _indices(x, width, tiling))]
            (stylized,) = tile.run([OUTPUT], {INPUT: pixels[None], STATISTICS: statistics})
            result[top:bottom, left:right] = stylized[0, top - y : bottom - y, left - x : right - x]
    return result


def _indices(start: int, length: int, tiling: Tiling) -> NDArray[np.int64]:
    """The rows or columns of a tile. Beyond the image, its edge repeats up to the multiple, and then it is mirrored."""
    padded = tiling.multiple * -(-length // tiling.multiple)
    index = np.arange(start, start + tiling.side) % max(1, 2 * padded - 2)
    return np.minimum(np.where(index < padded, index, 2 * padded - 2 - index), length - 1)


def several_tiles(tiling: Tiling) -> tuple[int, int]:
    """Return (height, width) of an image of several tiles each way, the last ones cut short, and not a multiple."""
    return 2 * tiling.side - 2 * tiling.margin - 3, tiling.side + 3 * tiling.multiple + 1
