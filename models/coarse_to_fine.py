"""Stylize in passes from coarse to fine, for strokes larger than those that a network paints.

On a photo of half the size, the same strokes cover twice as much of it. So the photo is stylized at half the size
first, and where it has little detail, the change that this made is added to it before it is stylized itself. Plain
surfaces get large strokes, and faces, letters and outlines stay as sharp as in one pass.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from impasto.configs.schema.model import BLOCK

SHARE = 0.6  # of the coarser pass's change that a photo gets where it has no detail
DETAIL = 1.2  # levels: mean absolute difference from the photo of half the size that halves the share
FLAT = 0.02  # levels: if all detail nearby is less, it is an error of arithmetic; photos have more
NEAR = 9  # blocks: the side of the square around one that is nearby
LEAST = 0.001  # smaller shares are 0


def stylize(network: Callable[[Tensor], Tensor], photo: Tensor, passes: int) -> Tensor:
    """Stylize photos, after they were stylized at half the size with one pass less.

        y = network(x + up(share * (y' - x'))), where x' is x at half the size and y' its stylized picture

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
    return network(photo + upsample(share(photo, half) * change, 2))


def share(photo: Tensor, half: Tensor) -> Tensor:
    """Return the share of the coarser pass's change.

        share = max(0, SHARE * m^2 / (m^2 + FLAT^2) * DETAIL^2 / (d^2 + DETAIL^2) - LEAST),

    where d is the detail, and m the largest nearby. It is 0 in a photo of one color, of which every pass makes one
    color. Otherwise the norms would enlarge errors of arithmetic to strokes, which differ between machines and overflow
    fp16.

    Args:
        photo: RGB [N, 3, H, W], H and W multiples of BLOCK.
        half: The photo at half the size.

    Returns:
        The share of each channel of `half`, 0..SHARE.
    """
    square = F.avg_pool2d((photo - upsample(half, 2)).abs(), BLOCK).square()
    # The order of operations stays in the range of fp16.
    weakened = SHARE * DETAIL**2 / (square + DETAIL**2)
    largest = F.max_pool2d(square, NEAR, 1, NEAR // 2)
    return upsample(F.relu(weakened * (largest / (largest + FLAT**2)) - LEAST), BLOCK // 2)


def upsample(x: Tensor, factor: int) -> Tensor:
    """Upsample features [N, C, H, W] bilinearly."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear")
