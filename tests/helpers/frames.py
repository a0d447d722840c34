"""Stand-ins for networks whose temporal stability is known, and a photo to run them on."""

import torch
import torch.nn.functional as F
from torch import Tensor


def identity(pixels: Tensor) -> Tensor:
    return pixels


def quantized(pixels: Tensor) -> Tensor:
    """Average the cells of a fixed grid, which flickers when the picture moves."""
    return F.interpolate(F.avg_pool2d(pixels, 4), scale_factor=4.0)


def blurred(pixels: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(pixels, (3, 3, 3, 3), mode="reflect"), 7, 1)


def grainy_photo() -> Tensor:
    """Return smooth colors with some spectrum: integer levels [1, 3, 96, 96]."""
    random = torch.Generator().manual_seed(0)
    coarse, spectrum = (torch.rand(1, 3, side, side, generator=random) for side in (7, 96))
    smooth = F.interpolate(coarse, size=(96, 96), mode="bicubic")
    return (230 * smooth + 20 * spectrum).clamp(0, 255).round()
