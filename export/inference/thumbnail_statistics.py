"""Estimate the instance norm statistics of a large picture from a thumbnail, corrected with full-size patches.

The thumbnail shows the whole picture, but at another scale; the patches have the right scale, but show only a part. So
the thumbnail's statistics are corrected by the difference between the patches at full size and the same patches at the
thumbnail's scale (a control variate). StyleTransferStatistics.kt and .swift do the same.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.export.onnx_graph.instance_norm import Statistics
from impasto.models.onnx_model import MIN_SIDE

Pixels = NDArray[np.uint8]

_PATCH = 128  # px, the least side of a patch
_MIN_REDUCED = 32  # px, the least side of a patch at the thumbnail's scale
_MIN_PATCHES = 16
_GOLDEN_RATIO = 40503  # in 1/65536: its multiples are evenly distributed, whatever their number (Knuth, 6.4)
_EPSILON = 1e-5  # of the norms
_MAX_RATIO = 10.0  # limit for the correction of a variance


def statistics(rgb: Pixels, pixels: float, measure: Callable[[Pixels], Statistics]) -> Statistics:
    """Estimate a picture's statistics.

    Args:
        rgb: RGB [H, W, 3].
        pixels: About how many pixels a measured picture may have.
        measure: Returns the mean and variance of each instance norm for a picture.

    Returns:
        Mean and variance of each instance norm.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, max(math.sqrt(pixels / (height * width)), MIN_SIDE / min(height, width)))
    thumbnail = measure(reduce(rgb, scale))
    patches = patch_mosaic(rgb, pixels, scale) if scale < 1 else None
    if patches is None:
        return thumbnail
    return [
        _correct(*values) for values in zip(thumbnail, measure(patches), measure(reduce(patches, scale)), strict=True)
    ]


def reduce(rgb: Pixels, scale: float) -> Pixels:
    """Downscale by a factor with a triangle filter (Pillow's antialiased BILINEAR)."""
    height, width = (int(side * scale + 0.5) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR))


def patch_mosaic(rgb: Pixels, pixels: float, scale: float) -> Pixels | None:
    """Arrange patches from all over a picture side by side.

    The patches are blended into each other: hard edges between them would count as edges of the picture.

    Args:
        rgb: RGB [H, W, 3].
        pixels: About how many pixels the mosaic has.
        scale: The thumbnail's scale; at it a patch still has _MIN_REDUCED px.

    Returns:
        RGB, or None where there would be fewer than _MIN_PATCHES.
    """
    side = max(_PATCH, math.ceil(_MIN_REDUCED / scale))
    part = min(1.0, math.sqrt(pixels / (rgb.shape[0] * rgb.shape[1])))
    (height, rows, patch_height), (width, columns, patch_width) = (
        (length, max(1, int(length * part / side)), min(side, length)) for length in rgb.shape[:2]
    )
    if rows * columns < _MIN_PATCHES:
        return None
    mosaic = np.empty((rows * patch_height, columns * patch_width, 3), np.uint8)
    overlap = side // 4
    for row in range(rows):
        # One row of patches at a time: the sums of all rows would take four times the memory.
        origin = row * patch_height
        sums = np.zeros((patch_height, columns * patch_width, 3), np.int32)
        for source_row in range(max(0, row - 1), min(rows, row + 2)):
            lines, down = _blend_weights(origin, origin + patch_height, source_row, rows, patch_height, overlap)
            for column in range(columns):
                across, right = _blend_weights(0, columns * patch_width, column, columns, patch_width, overlap)
                # Each patch has a cell of a grid, and a jitter in it: objects in photos are often in line.
                top = source_row * height // rows + _jitter(height // rows - patch_height, column)
                left = column * width // columns + _jitter(width // columns - patch_width, source_row)
                y = np.clip(top - source_row * patch_height + lines, 0, height - 1)
                x = np.clip(left - column * patch_width + across, 0, width - 1)
                sums[lines[0] - origin : lines[-1] + 1 - origin, across[0] : across[-1] + 1] += (
                    rgb[np.ix_(y, x)] * down[:, None, None] * right[:, None]
                )
        mosaic[origin : origin + patch_height] = (sums + 8 * overlap * overlap) // (16 * overlap * overlap)
    return mosaic


def _blend_weights(
    start: int, end: int, number: int, count: int, side: int, overlap: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return where patch `number` of `count` contributes between start and end, and its weights.

    The weights of all patches add up to 4 * overlap.
    """
    positions = np.arange(max(start, number * side - overlap), min(end, (number + 1) * side + overlap), dtype=np.int32)
    positions = positions[(positions >= 0) & (positions < count * side)]
    weights = np.full(len(positions), 4 * overlap, np.int32)
    if number > 0:
        weights = np.minimum(weights, 2 * (positions - number * side + overlap) + 1)
    if number < count - 1:
        weights = np.minimum(weights, 2 * ((number + 1) * side + overlap - positions) - 1)
    return positions, weights


def _jitter(room: int, number: int) -> int:
    return room * ((number * _GOLDEN_RATIO + (1 << 15)) & 65535) >> 16


def _correct(
    thumbnail: tuple[NDArray[np.float32], NDArray[np.float32]],
    patches: tuple[NDArray[np.float32], NDArray[np.float32]],
    reduced: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Correct means by a difference and variances by a ratio, since variances scale with the picture."""
    ratio = (patches[1] + np.float32(_EPSILON)) / (reduced[1] + np.float32(_EPSILON))
    return thumbnail[0] + patches[0] - reduced[0], thumbnail[1] * np.clip(ratio, 1 / _MAX_RATIO, _MAX_RATIO)
