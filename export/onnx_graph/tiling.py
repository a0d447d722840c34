"""Run a model of fixed tile size on an image of any size, as the clients do. No torch here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.export.contract import Tiling
from impasto.export.onnx_graph.contracts import STATISTICS
from impasto.export.test_images import Pixels
from impasto.models.contract import INPUT, OUTPUT
from impasto.models.image.tiling import Tile, cut, fixed_edges


def tiles(height: int, width: int, tiling: Tiling) -> list[list[Tile]]:
    """Cut an image, padded to a multiple of `tiling.multiple`, into tiles of a fixed size."""
    rows, columns = (fixed_edges(_padded(side, tiling), tiling.side, tiling.margin) for side in (height, width))
    return cut(rows, columns, tiling.margin, tiling.side)


def measure(stats: Any, photo: Pixels) -> NDArray[np.float32]:
    """Return the STATISTICS of RGBA bytes [H, W, 4]; `stats` is a session of ONNX Runtime."""
    (statistics,) = stats.run([STATISTICS], {INPUT: photo[None]})
    return statistics


def stylize(session: Any, photo: Pixels, statistics: NDArray[np.float32], tiling: Tiling) -> Pixels:
    """Run a session of the model for a tile on the tiles of RGBA bytes [H, W, 4] with these STATISTICS."""
    height, width = photo.shape[:2]
    result = np.empty((_padded(height, tiling), _padded(width, tiling), 4), np.uint8)
    for tile in (tile for row in tiles(height, width, tiling) for tile in row):
        pixels = photo[np.ix_(_indices(tile.outer.top, height, tiling), _indices(tile.outer.left, width, tiling))]
        (stylized,) = session.run([OUTPUT], {INPUT: pixels[None], STATISTICS: statistics})
        result[tile.inner.slices] = stylized[0][tile.crop()]
    return result[:height, :width]


def _indices(start: int, length: int, tiling: Tiling) -> NDArray[np.int64]:
    """The rows or columns of a tile. Beyond the image, its edge repeats up to the multiple, and then it is mirrored."""
    padded = _padded(length, tiling)
    index = np.arange(start, start + tiling.side) % max(1, 2 * padded - 2)
    return np.minimum(np.where(index < padded, index, 2 * padded - 2 - index), length - 1)


def _padded(length: int, tiling: Tiling) -> int:
    return tiling.multiple * -(-length // tiling.multiple)


def several_tiles(tiling: Tiling) -> tuple[int, int]:
    """Return (height, width) of an image of several tiles each way, the last ones cut short, and not a multiple."""
    return 2 * tiling.side - 2 * tiling.margin - 3, tiling.side + 3 * tiling.multiple + 1
