"""Brush strokes that are the same fraction of a picture at any size: painted small, and the photo's detail added.

The small painting is enlarged, and the detail that the small photo lacks is added to it, as strongly, and in the same
direction, as the painting follows the photo there: by the coefficient a of the guided filter (He et al. 2013, eq. 5),
found small and enlarged (He & Sun 2015). What the filter would smooth away, the strokes, stays.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.models.colors import luminance

_RADIUS = 4  # px of the small picture: about a stroke
_SMOOTH = 100.0  # levels squared of variance below which a photo is called smooth, and its noise is not added
_BAND = 1 << 19  # pixels that are worked on at a time

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def enlarge(painted: Pixels, small: Pixels, photo: Pixels) -> Pixels:
    """The painting [h, w, 3] of a `small` photo [h, w, 3], as large as `photo` [H, W, 3] and with its detail."""
    height, width = photo.shape[:2]
    high, wide = small.shape[:2]
    lit = luminance(small)
    gain = Image.fromarray(_gain(luminance(painted), lit))
    # In floats: of bytes, Pillow clips what overshoots between its two passes, whose order depends on the band's size.
    planes = _softened(painted, min(1.0, height / high - 1))
    sources = [Image.fromarray(np.ascontiguousarray(plane)) for plane in (*planes.transpose(2, 0, 1), lit)]
    made = np.empty_like(photo)
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        box = (0, rows.start * high / height, wide, rows.stop * high / height)
        size = (width, rows.stop - rows.start)
        *strokes, blurred = (np.asarray(one.resize(size, Image.Resampling.BICUBIC, box)) for one in sources)
        follows = np.asarray(gain.resize(size, Image.Resampling.BILINEAR, box))
        detail = follows * (luminance(photo[rows]) - blurred)
        made[rows] = np.rint(np.clip(np.dstack(strokes) + detail[..., None], 0, 255))
    return made


def _softened(painted: Pixels, amount: float) -> Floats:
    """A painting without the finest of its pixels: grid and coloured fringes, unseen at its own size, seen enlarged.

    At an `amount` of 1 half of the luminance and all of the colour that changes from pixel to pixel goes, and of colour
    with a period of 4 px three quarters: as JPEG halves its resolution, since the eye sees no finer.
    """
    lit = luminance(painted)[..., None]
    return _blurred(lit, amount / 8) + _blurred(_blurred(painted - lit, amount / 4), amount / 4)


def _blurred(values: Floats, share: float) -> Floats:
    """Each value [h, w, C] mixed with so much of each of its neighbours, down and across."""
    for axis in (0, 1):
        edges = [(1, 1) if axis == number else (0, 0) for number in range(3)]
        around, size = np.pad(values, edges, mode="edge"), values.shape[axis]
        both = around.take(range(size), axis) + around.take(range(2, size + 2), axis)
        values = values * np.float32(1 - 2 * share) + both * np.float32(share)
    return values


def _gain(painted: Floats, guide: Floats) -> Floats:
    """How strongly one luminance [h, w] follows the other around each pixel, -1..1."""
    mean, own = _box(guide), _box(painted)
    variance = _box(guide * guide) - mean * mean
    together = _box(guide * painted) - mean * own
    return _box(np.clip(together / (variance + _SMOOTH), -1, 1))


def _box(values: Floats) -> Floats:
    """The mean of the square of 2 * _RADIUS + 1 px around each pixel; at the border of the part that exists."""
    sums = values.astype(np.float64)
    for axis in (0, 1):
        size = sums.shape[axis]
        total = np.concatenate([np.zeros_like(sums.take([0], axis)), np.cumsum(sums, axis)], axis)
        first = np.maximum(np.arange(size) - _RADIUS, 0)
        last = np.minimum(np.arange(size) + _RADIUS + 1, size)
        shape = (-1, 1) if axis == 0 else (1, -1)
        sums = (total.take(last, axis) - total.take(first, axis)) / (last - first).reshape(shape)
    return sums.astype(np.float32)
