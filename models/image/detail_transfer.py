"""Enlarge a stylized picture and restore the photo's detail, so that strokes scale with the picture.

The network stylizes a small copy of the photo. The result is enlarged, and the detail that the small copy lost is added
to it with a gain: the coefficient a of the guided filter (He et al. 2013, eq. 5), computed at the small size and
enlarged (He & Sun 2015). The gain tells how strongly, and in which direction, the stylized picture follows the photo.
The strokes, which a guided filter would smooth away, remain.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.models.image.color import luminance

_RADIUS = 4  # px of the small picture: about the width of a stroke
_SMOOTH = 100.0  # squared levels of variance: below it the photo counts as smooth, and its noise is not added
_BAND_PIXELS = 1 << 19  # pixels per step

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def enlarge(stylized: Pixels, small: Pixels, photo: Pixels) -> Pixels:
    """Enlarge a stylized picture to the photo's size and add the photo's detail.

    Args:
        stylized: The network's output for `small`, RGB [h, w, 3].
        small: The reduced photo, RGB [h, w, 3].
        photo: The photo, RGB [H, W, 3].

    Returns:
        RGB [H, W, 3].
    """
    height, width = photo.shape[:2]
    small_height, small_width = small.shape[:2]
    small_luminance = luminance(small)
    gain = Image.fromarray(_gain(luminance(stylized), small_luminance))
    # Resized as floats: for bytes, Pillow clips between its two passes, whose order depends on the band's size.
    planes = _soften(stylized, min(1.0, height / small_height - 1))
    sources = [Image.fromarray(np.ascontiguousarray(plane)) for plane in (*planes.transpose(2, 0, 1), small_luminance)]
    output = np.empty_like(photo)
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        box = (0, rows.start * small_height / height, small_width, rows.stop * small_height / height)
        size = (width, rows.stop - rows.start)
        *strokes, blurred = (np.asarray(one.resize(size, Image.Resampling.BICUBIC, box)) for one in sources)
        band_gain = np.asarray(gain.resize(size, Image.Resampling.BILINEAR, box))
        detail = band_gain * (luminance(photo[rows]) - blurred)
        output[rows] = np.rint(np.clip(np.dstack(strokes) + detail[..., None], 0, 255))
    return output


def _soften(stylized: Pixels, amount: float) -> Floats:
    """Attenuate pixel-scale grids and color fringes, which enlarging would make visible.

    At an `amount` of 1 this removes half of the luminance and all of the chroma with a period of 2 px, and three
    quarters of the chroma with a period of 4 px. JPEG halves the resolution of chroma for the same reason: the eye
    resolves it no finer.
    """
    light = luminance(stylized)[..., None]
    return _blur(light, amount / 8) + _blur(_blur(stylized - light, amount / 4), amount / 4)


def _blur(values: Floats, weight: float) -> Floats:
    """Convolve values [h, w, C] with [weight, 1 - 2 weight, weight] along both axes; edges are replicated."""
    for axis in (0, 1):
        edges = [(1, 1) if axis == number else (0, 0) for number in range(3)]
        padded, size = np.pad(values, edges, mode="edge"), values.shape[axis]
        neighbors = padded.take(range(size), axis) + padded.take(range(2, size + 2), axis)
        values = values * np.float32(1 - 2 * weight) + neighbors * np.float32(weight)
    return values


def _gain(stylized: Floats, guide: Floats) -> Floats:
    """Return the guided filter's coefficient a of two luminances [h, w], clipped to -1..1 and averaged."""
    guide_mean, stylized_mean = _box_mean(guide), _box_mean(stylized)
    variance = _box_mean(guide * guide) - guide_mean * guide_mean
    covariance = _box_mean(guide * stylized) - guide_mean * stylized_mean
    return _box_mean(np.clip(covariance / (variance + _SMOOTH), -1, 1))


def _box_mean(values: Floats) -> Floats:
    """Return the mean over a square of 2 * _RADIUS + 1 px around each pixel, clipped to the picture at the border."""
    sums = values.astype(np.float64)
    for axis in (0, 1):
        size = sums.shape[axis]
        total = np.concatenate([np.zeros_like(sums.take([0], axis)), np.cumsum(sums, axis)], axis)
        first = np.maximum(np.arange(size) - _RADIUS, 0)
        last = np.minimum(np.arange(size) + _RADIUS + 1, size)
        shape = (-1, 1) if axis == 0 else (1, -1)
        sums = (total.take(last, axis) - total.take(first, axis)) / (last - first).reshape(shape)
    return sums.astype(np.float32)
