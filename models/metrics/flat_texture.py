"""The fine texture of a picture where its photo is flat: weaves, dithers and flecks where there is nothing to paint."""

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.models.losses.flatness import FLOOR, FlatnessLoss
from impasto.models.metrics.display import to_pixels

Pixels = NDArray[np.uint8]

LEAST_SHARE = 0.005  # of a photo's windows, each by its flatness: fewer than that say nothing


class FlatTexture:
    """Measures the texture of about 2 to 16 px where a photo is flat, relative to that of the painting's flat places.

    It is the mean of sqrt((E_wbc(x) + FLOOR) / A_bc) over bands b and channels c, and over the windows w by their
    flatness in the photo, in the terms of `losses.flatness`: 1 is the texture of the painting's flattest fifth. Unlike
    `pattern`, it also sees a texture without a period.

    Args:
        painting: The painting at display size, uint8 [H, W, 3], H and W >= 32.
    """

    def __init__(self, painting: Pixels) -> None:
        self.loss = FlatnessLoss(to_pixels(painting))

    @torch.no_grad()
    def __call__(self, picture: Pixels, photo: Pixels) -> float | None:
        """Measure a picture of a photo, both uint8 [H, W, 3] at display size; null if the photo has no flat place."""
        flatness = self.loss.flatness(to_pixels(photo))
        if flatness.mean().item() < LEAST_SHARE:
            return None
        energies = self.loss.energies(to_pixels(picture))
        ratios = ((energies + FLOOR) / self.loss.get_buffer("permitted")).sqrt().mean(1, keepdim=True)
        return float((flatness * ratios).sum() / flatness.sum())
