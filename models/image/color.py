"""Mix a stylized picture with its photo, by strength, luminance or a mask, in 8 bits and without torch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the Y of YIQ

_ONE = 1 << 16  # strength 1 in fixed point; 255 times it fits in 32 bits
_BAND_PIXELS = 1 << 20  # pixels per step: a large photo converted to floats would not fit beside its bytes


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the luminance Y [H, W], 0..255, of RGB [H, W, 3]."""
    return rgb.astype(np.float32) @ np.array(LUMA, np.float32)


def gray(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance [H, W] of RGB [H, W, 3], rounded to 8 bits."""
    output = np.empty(rgb.shape[:2], np.uint8)
    for rows in _bands(rgb):
        output[rows] = np.rint(luminance(rgb[rows]))
    return output


def keep_colors(
    stylized: NDArray[np.uint8], photo: NDArray[np.uint8], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Combine the luminance of `stylized` with the colors of `photo` (Gatys et al. 2016b, luminance-only transfer).

    In YIQ the result has the photo's I and Q and the stylized picture's Y. This equals adding the same difference of Y
    to red, green and blue.

    Args:
        stylized: RGB [H, W, 3].
        photo: RGB [H, W, 3].
        out: Array for the result; it may be `stylized`.
    """
    output = np.empty_like(photo) if out is None else out
    for rows in _bands(photo):
        change = luminance(stylized[rows]) - luminance(photo[rows])
        output[rows] = np.rint(np.clip(photo[rows] + change[..., None], 0, 255))
    return output


def blend(
    stylized: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Blend two RGB pictures [H, W, 3]: `stylized` where the mask [H, W] is 255, `photo` where it is 0.

    `out` takes the result; it may be `stylized`.
    """
    output = np.empty_like(photo) if out is None else out
    for rows in _bands(photo):
        weight = mask[rows, :, None].astype(np.uint16)
        output[rows] = (stylized[rows] * weight + photo[rows] * (255 - weight) + 127) // 255  # at most 65,152
    return output


def mix(
    stylized: NDArray[np.uint8], photo: NDArray[np.uint8], strength: float, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return photo + strength * (stylized - photo), rounded, as the clients and the page of a bundle compute it.

    Args:
        stylized: RGB [H, W, 3].
        photo: RGB [H, W, 3].
        strength: 0..1; at 0 and 1 the result is exactly one of the two.
        out: Array for the result; it may be `stylized`.
    """
    weight = round(strength * _ONE)
    output = np.empty_like(photo) if out is None else out
    for rows in _bands(photo):
        stylized_rows, photo_rows = (picture[rows].astype(np.int32) for picture in (stylized, photo))
        output[rows] = (stylized_rows * weight + photo_rows * (_ONE - weight) + _ONE // 2) >> 16
    return output


def over_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return RGB [H, W, 3] as it looks over white, or itself where alpha [H, W] is None."""
    return rgb if alpha is None else blend(rgb, np.full_like(rgb, 255), alpha)


def _bands(picture: NDArray[np.uint8]) -> Iterator[slice]:
    height, width = picture.shape[:2]
    step = max(1, _BAND_PIXELS // width)
    return (slice(start, start + step) for start in range(0, height, step))
