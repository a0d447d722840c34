"""Smooth grain for photos: where a photo is flat, a network paints strokes that follow the grain.

The page, Kotlin and Swift add the same grain, so it is made of integers until it is scaled.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

MAX_GRAIN = 32.0  # levels
_SIDE = 512  # px after which the grain repeats
_ROWS = 256  # per step; divides _SIDE
_WIDTHS = (3, 3, 3, 5)  # px, of the moving averages: nearly a Gaussian filter with a standard deviation of 2 px
_UNIT = 32  # the standard deviation of `_grain`
_SUM = 11539  # of the sums, is 1 in `_grain`
_FIRST = 141 * _SIDE * _SIDE  # the first number that is hashed: of 399 blocks, the mean of this one is nearest to 0


def add_grain(rgb: NDArray[np.uint8], levels: float) -> NDArray[np.uint8]:
    """Add grain to a photo.

    Each pixel of a network's output depends on the photo alone, so where the photo is one color, there is nothing to
    paint. The grain is smoothed white noise, the same in all channels. It depends on the position alone, so it stands
    still in a video.

    Args:
        rgb: The photo, RGB [H, W, 3].
        levels: The standard deviation of the grain, in levels of 255, 0..MAX_GRAIN.

    Returns:
        RGB [H, W, 3]; for 0 levels the photo itself.
    """
    if levels == 0:
        return rgb
    height, width = rgb.shape[:2]
    added = np.floor(levels / _UNIT * _grain() + 0.5).astype(np.int16)
    row = np.tile(added, (1, -(-width // _SIDE)))[:, :width, None]
    output = np.empty_like(rgb)
    for top in range(0, height, _ROWS):
        band = slice(top, min(top + _ROWS, height))
        output[band] = np.clip(rgb[band] + row[top % _SIDE :][: band.stop - top], 0, 255)
    return output


@cache
def _grain() -> NDArray[np.int16]:
    """Return grain [_SIDE, _SIDE] of mean 0, whose opposite borders continue each other."""
    noise = _hash(np.arange(_FIRST, _FIRST + _SIDE * _SIDE, dtype=np.uint32)) >> np.uint32(24)
    sums = 2 * noise.astype(np.int64).reshape(_SIDE, _SIDE) - 255
    for width in _WIDTHS:
        for axis in (0, 1):
            sums = np.sum([np.roll(sums, shift, axis) for shift in range(-(width // 2), width // 2 + 1)], 0)
    return np.clip((sums + _SUM // 2) // _SUM, -127, 127).astype(np.int16)


def _hash(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the 32-bit finalizer of MurmurHash3 (Appleby 2011) of numbers, whose bits look random."""
    numbers = (numbers ^ (numbers >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    numbers = (numbers ^ (numbers >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return numbers ^ (numbers >> np.uint32(16))
