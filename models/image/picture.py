"""A decoded picture, and resizing; no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.errors import UsageError

MAX_PIXELS = 178_956_970  # Pillow's own limit: 2 x 89 MP, half a gigabyte of decoded RGB
STRIP_PIXELS = 1 << 21  # pixels converted at a time, so that a picture of MAX_PIXELS takes less than 2 GB


class UnreadablePicture(UsageError):  # noqa: N818 - the base class already says that it is an error
    """A picture that cannot be read; the message is one sentence that names the file."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        rgb: RGB [H, W, 3].
        alpha: Alpha [H, W], or None for an opaque picture.
        had_profile: Whether an ICC profile or another color space was applied; `write` then embeds an sRGB profile.
        exif: EXIF bytes as stored in the file; `write` copies the tags that are still true.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    had_profile: bool = False
    exif: bytes | None = None


def resize(pixels: NDArray[np.uint8], size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Resize pixels [H, W] or [H, W, 3] with an antialiased Lanczos filter.

    Args:
        pixels: The picture.
        size: The new short side, or (height, width).
    """
    height, width = pixels.shape[:2]
    if isinstance(size, int):
        short = min(height, width)
        size = (max(1, round(height * size / short)), max(1, round(width * size / short)))
    if size == (height, width):
        return pixels
    # reducing_gap: a box filter does the coarse part of a large reduction; 3 is visually lossless (Pillow's docs)
    image = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(image)
