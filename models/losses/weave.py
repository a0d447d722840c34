"""The weave loss: no texture of horizontal and vertical threads, like canvas."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.opponent import OpponentWindows

WINDOW = 32  # px
RINGS = (
    2.5,
    4.5,
    6.5,
    8.5,
)  # cycles per window: limits of the rings, 13 to 7, 7 to 5 and 5 to 4 px; the window widens them
NEAR, FAR = 1, 2  # cycles per window: a frequency at most NEAR from an axis is on it, one at least FAR from both is not
PERMITTED = 1.5  # times the energy in between; photos and paintings have about 1
FLOOR = 0.003  # squared levels per frequency: half a level over a ring, which nobody sees


class WeaveLoss(nn.Module):
    """The energy at horizontal and at vertical frequencies, beyond a multiple of that in between.

        loss = sum over rings r of the mean over windows w and channels c of
               max(0, log((min(H_rwc, V_rwc) + FLOOR) / (PERMITTED (D_rwc + FLOOR))))

    H, V and D are the mean variances of a channel (luminance or one of two colors) at the frequencies of a ring that
    are on the horizontal axis, on the vertical one, and on neither, in half-overlapping windows of WINDOW px. Strokes
    have one direction, so the lesser of H and V permits them. Features at a quarter of the resolution have most of
    their finest energy on both axes, and upsampling adds images of it at shorter periods: a canvas of 5 to 13 px in
    every surface. Its period varies with what is painted, so the pattern loss sees little of it. A canvas that is
    turned by 20 degrees or more is not seen here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.windows = OpponentWindows(WINDOW)
        self.register_buffer("means", _means())

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures [N, 3, H, W], 0..255, H and W >= WINDOW.

        Returns:
            A scalar, >= 0, the natural logarithm of a ratio, averaged over the batch.
        """
        horizontal, vertical, between = self.energies(pixels) + FLOOR
        return F.relu((torch.minimum(horizontal, vertical) / (PERMITTED * between)).log()).mean((0, 1, 2, 3)).sum()

    def energies(self, pixels: Tensor) -> Tensor:
        """Return H, V and D of pictures [N, 3, H, W]: [3, N, channels, rows, columns, rings]."""
        spectra = torch.fft.rfft2(self.windows(pixels)).abs().square() / WINDOW**4
        return (spectra.flatten(-2) @ self.get_buffer("means")).unflatten(-1, (3, -1)).movedim(-2, 0)


def _means() -> Tensor:
    """The weights of the frequencies of rfft2 in the means H, V and D of each ring, [frequencies, 3 x rings]."""
    vertical = (torch.fft.fftfreq(WINDOW) * WINDOW)[:, None].expand(-1, WINDOW // 2 + 1).flatten().abs()
    horizontal = (torch.fft.rfftfreq(WINDOW) * WINDOW).expand(WINDOW, -1).flatten()
    radius, least = torch.hypot(vertical, horizontal), torch.minimum(vertical, horizontal)
    twice = torch.where(horizontal == 0, 1.0, 2.0)  # rfft2 omits the negative horizontal frequencies
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(RINGS)]
    parts = [part & ring for part in (vertical <= NEAR, horizontal <= NEAR, least >= FAR) for ring in rings]
    return torch.stack([part * twice / (part * twice).sum() for part in parts], 1)
