"""Stylize in passes from coarse to fine, for strokes larger than those that a network paints.

On a photo of half the size, the same strokes cover twice as much of it. So the photo is stylized at half the size
first, and where it has no detail nearby, the strokes of this picture are added to it before it is stylized itself.
Plain surfaces get large strokes, and keep their tone; faces, letters and outlines stay as sharp as in one pass.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from impasto.configs.schema.model import BLOCK

SHARE = 0.6  # of the coarser pass's strokes that a photo gets where it has no detail
DETAIL = 2.0  # levels: mean absolute difference from the photo of half the size that halves the share
AROUND = 5  # blocks: the side of the square around one where the most detail counts
SMOOTH = 3  # blocks: the side of the square over which that is averaged
FLAT = 0.02  # levels: if all detail nearby is less, it is an error of arithmetic; photos have more
NEAR = 9  # blocks: the side of the square around one that is nearby
LEAST = 0.001  # smaller shares are 0
TONE = 5  # blocks: the side of the square over which the mean of a change is tone, and not strokes


def stylize(network: Callable[[Tensor], Tensor], photo: Tensor, passes: int) -> Tensor:
    """Stylize photos, after they were stylized at half the size with one pass less.

        y = network(x + up(share * strokes(y' - x'))), where x' is x at half the size and y' its stylized picture

    Args:
        network: One pass, from RGB 0..255 to RGB 0..255.
        photo: RGB x [N, 3, H, W], 0..255, H and W multiples of `ModelConfig.stride`.
        passes: The number of passes, from 1 on.

    Returns:
        RGB y [N, 3, H, W], 0..255.
    """
    if passes == 1:
        return network(photo)
    half = F.avg_pool2d(photo, 2)
    change = stylize(network, half, passes - 1) - half
    return network(photo + upsample(share(photo, half) * strokes(change), 2))


def strokes(change: Tensor) -> Tensor:
    """Subtract the local mean of a change [N, 3, H, W]: it would give plain surfaces dark and colored patches."""
    tone = local_mean(F.avg_pool2d(change, BLOCK // 2), TONE)
    return change - upsample(tone, BLOCK // 2)


def share(photo: Tensor, half: Tensor) -> Tensor:
    """Return the share of the coarser pass's strokes.

        share = max(0, SHARE * m^2 / (m^2 + FLAT^2) * DETAIL^2 / (d^2 + DETAIL^2) - LEAST),

    where d^2 is the mean of SMOOTH x SMOOTH blocks of the largest squared detail in AROUND x AROUND, and m the largest
    detail in NEAR x NEAR. It is 0 in a photo of one color, of which every pass makes one color. Otherwise the norms
    would enlarge errors of arithmetic to strokes, which differ between machines and overflow fp16.

    Args:
        photo: RGB [N, 3, H, W], H and W multiples of BLOCK.
        half: The photo at half the size.

    Returns:
        The share of each channel of `half`, 0..SHARE.
    """
    square = F.avg_pool2d((photo - upsample(half, 2)).abs(), BLOCK).square()
    detail = local_mean(F.max_pool2d(square, AROUND, 1, AROUND // 2), SMOOTH)
    # The order of operations stays in the range of fp16.
    weakened = SHARE * DETAIL**2 / (detail + DETAIL**2)
    largest = F.max_pool2d(square, NEAR, 1, NEAR // 2)
    return upsample(F.relu(weakened * (largest / (largest + FLAT**2)) - LEAST), BLOCK // 2)


def local_mean(x: Tensor, side: int) -> Tensor:
    """Return the mean of the values [N, C, H, W] in the square around each, of those that exist at borders."""
    return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)


def upsample(x: Tensor, factor: int) -> Tensor:
    """Upsample features [N, C, H, W] bilinearly."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear")
