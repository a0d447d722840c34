"""Smooth grain for photos: where a photo is flat, a network paints strokes that follow the grain."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_SIDE = 512  # px after which the grain repeats
_RADIUS = 2.0  # px, the standard deviation of the Gaussian filter: about half the width of a stroke
_SEED = 0
_ROWS = 256  # per step


def add_grain(rgb: NDArray[np.uint8], levels: float) -> NDArray[np.uint8]:
    """Add grain to a photo.

    Each pixel of a network's output depends on the photo alone, so where the photo is one color, there is nothing to
    paint. The grain is white noise smoothed by a Gaussian filter, the same in all channels. It depends on the
    position alone, so it stands still in a video.

    Args:
        rgb: The photo, RGB [H, W, 3].
        levels: The standard deviation of the grain, in levels of 255, >= 0.

    Returns:
        RGB [H, W, 3]; for 0 levels the photo itself.
    """
    if levels == 0:
        return rgb
    height, width = rgb.shape[:2]
    row = np.tile(levels * _grain(), (1, -(-width // _SIDE)))[:, :width, None]
    output = np.empty_like(rgb)
    for top in range(0, height, _ROWS):
        band = slice(top, min(top + _ROWS, height))
        grain = row[top % _SIDE :][: band.stop - top]  # _SIDE is a multiple of _ROWS
        output[band] = np.rint(np.clip(rgb[band] + grain, 0, 255))
    return output


@cache
def _grain() -> NDArray[np.float32]:
    """Return grain [_SIDE, _SIDE] of mean 0 and standard deviation 1, whose opposite borders continue each other."""
    # The raw numbers of a bit generator are the same in every version of NumPy; those of a distribution need not be.
    noise = (np.random.PCG64(_SEED).random_raw(_SIDE * _SIDE) >> np.uint64(32)).astype(np.float64)
    frequencies = np.fft.fftfreq(_SIDE)
    response = np.exp(-2 * np.square(np.pi * _RADIUS * frequencies))
    spectrum = np.fft.fft2(noise.reshape(_SIDE, _SIDE)) * response[:, None] * response
    spectrum[0, 0] = 0
    smooth = np.fft.ifft2(spectrum).real
    return (smooth / smooth.std()).astype(np.float32)
