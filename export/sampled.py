"""Statistics of a large picture from little of it: from a small copy, put right by pieces of full size.

The copy shows everything, but finer than it is; the pieces are as they are, but not everything. So the statistics of
the copy are moved by what those of the pieces differ from those of the same pieces made as small (a control variate).
StyleTransferMeasure.kt and .swift do the same.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.export.norms import Statistics
from impasto.models.exported import MIN_SIDE

Pixels = NDArray[np.uint8]

_PIECE = 128  # px a side, and no less than _SMALL once made small
_SMALL = 32
_FEW = 16
_GOLDEN = 40503  # of 65536: multiples of the golden ratio lie evenly, whatever their number (Knuth, 6.4)
_EPSILON = 1e-5  # of the norms
_MOST = 10.0  # times that a variance is changed


def statistics(rgb: Pixels, pixels: float, measure: Callable[[Pixels], Statistics]) -> Statistics:
    """The statistics of a picture [H, W, 3], where `measure` is given no picture of more than about so many pixels."""
    height, width = rgb.shape[:2]
    scale = min(1.0, max(math.sqrt(pixels / (height * width)), MIN_SIDE / min(height, width)))
    copy = measure(reduced(rgb, scale))
    sharp = pieces(rgb, pixels, scale) if scale < 1 else None
    if sharp is None:
        return copy
    return [_moved(*values) for values in zip(copy, measure(sharp), measure(reduced(sharp, scale)), strict=True)]


def reduced(rgb: Pixels, scale: float) -> Pixels:
    """A copy as much smaller, each pixel a mean, weighted by distance, of what lies within a pixel of the copy."""
    height, width = (int(side * scale + 0.5) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR))


def pieces(rgb: Pixels, pixels: float, scale: float) -> Pixels | None:
    """Pieces from all over a picture, side by side, about so many pixels, large enough to be reduced by `scale`.

    They fade into each other: edges between them would count as edges of the picture. None where they would be too few
    to stand for the whole.
    """
    side = max(_PIECE, math.ceil(_SMALL / scale))
    part = min(1.0, math.sqrt(pixels / (rgb.shape[0] * rgb.shape[1])))
    (height, rows, high), (width, columns, wide) = (
        (length, max(1, int(length * part / side)), min(side, length)) for length in rgb.shape[:2]
    )
    if rows * columns < _FEW:
        return None
    made = np.empty((rows * high, columns * wide, 3), np.uint8)
    reach = side // 4
    for row in range(rows):
        # Rows of pieces one by one: sums of all of them would take four times the memory.
        sums = np.zeros((high, columns * wide, 3), np.int32)
        for there in range(max(0, row - 1), min(rows, row + 2)):
            lines, down = _faded(row * high, (row + 1) * high, there, rows, high, reach)
            for column in range(columns):
                across, right = _faded(0, columns * wide, column, columns, wide, reach)
                # Each in a cell of its own, but not in line with its neighbours, as what is in photos often is.
                top = there * height // rows + _within(height // rows - high, column) - there * high
                left = column * width // columns + _within(width // columns - wide, there) - column * wide
                taken = rgb[np.ix_(np.clip(top + lines, 0, height - 1), np.clip(left + across, 0, width - 1))]
                sums[lines[0] - row * high : lines[-1] + 1 - row * high, across[0] : across[-1] + 1] += (
                    taken * down[:, None, None] * right[:, None]
                )
        made[row * high : (row + 1) * high] = (sums + 8 * reach * reach) // (16 * reach * reach)
    return made


def _faded(
    start: int, end: int, number: int, count: int, side: int, reach: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where piece `number` of `count` counts between two places, and how much, of 4 * reach; with the others, all."""
    places = np.arange(max(start, number * side - reach), min(end, (number + 1) * side + reach), dtype=np.int32)
    places = places[(places >= 0) & (places < count * side)]
    weights = np.full(len(places), 4 * reach, np.int32)
    if number > 0:
        weights = np.minimum(weights, 2 * (places - number * side + reach) + 1)
    if number < count - 1:
        weights = np.minimum(weights, 2 * ((number + 1) * side + reach - places) - 1)
    return places, weights


def _within(room: int, number: int) -> int:
    return room * ((number * _GOLDEN + (1 << 15)) & 65535) >> 16


def _moved(
    copy: tuple[NDArray[np.float32], NDArray[np.float32]],
    sharp: tuple[NDArray[np.float32], NDArray[np.float32]],
    small: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means by a difference, variances by a ratio: what is finer has variances of another scale."""
    ratio = (sharp[1] + np.float32(_EPSILON)) / (small[1] + np.float32(_EPSILON))
    return copy[0] + sharp[0] - small[0], copy[1] * np.clip(ratio, 1 / _MOST, _MOST)
