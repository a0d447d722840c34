"""Mixing a painted picture with its photo: by luminance, by a mask. Bytes in, bytes out; no torch here."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the Y of YIQ

_BAND = 1 << 20  # pixels that are worked on at a time: a large photo in floats would not fit beside its bytes


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Y [H, W], 0..255, of RGB [H, W, 3]."""
    return rgb.astype(np.float32) @ np.array(LUMA, np.float32)


def grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Y [H, W] of RGB [H, W, 3], rounded."""
    made = np.empty(rgb.shape[:2], np.uint8)
    for rows in _bands(rgb):
        made[rows] = np.rint(luminance(rgb[rows]))
    return made


def keep_colors(
    painted: NDArray[np.uint8], photo: NDArray[np.uint8], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The luminance of `painted` with the colours of `photo`, both [H, W, 3] (Gatys et al. 2016b, luminance-only).

    In YIQ the photo's I and Q with the other's Y: the same difference of Y added to red, green and blue. `out` takes
    the result, and may be `painted`.
    """
    mixed = np.empty_like(photo) if out is None else out
    for rows in _bands(photo):
        change = luminance(painted[rows]) - luminance(photo[rows])
        mixed[rows] = np.rint(np.clip(photo[rows] + change[..., None], 0, 255))
    return mixed


def blend(
    painted: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """`painted` [H, W, 3] where the mask [H, W] is 255, `photo` where it is 0, between them a mix; `out` as above."""
    mixed = np.empty_like(photo) if out is None else out
    for rows in _bands(photo):
        part = mask[rows, :, None].astype(np.uint16)
        mixed[rows] = (painted[rows] * part + photo[rows] * (255 - part) + 127) // 255  # at most 65,152
    return mixed


def _bands(picture: NDArray[np.uint8]) -> Iterator[slice]:
    height, width = picture.shape[:2]
    step = max(1, _BAND // width)
    return (slice(start, start + step) for start in range(0, height, step))
