"""The mesh loss: fine detail of a picture has no more than a natural share of the energy."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.opponent import OpponentColors

WINDOW = 8  # px
SHARES = ((0.15, 0.1), (0.6, 0.5))  # of the bands below, in luminance and in color; soft photos have about these
FLOOR = 0.1  # squared levels: an amplitude of 0.3 levels, which nobody sees
BLUR = (0.25, 0.5, 0.25)


class MeshLoss(nn.Module):
    """The energy of a picture in its finest bands, beyond a share of the energy in the bands below them.

        loss = sum over pairs k of the mean over windows w and channels c of
               max(0, log((F_kwc + FLOOR) / (s_kc C_kwc + FLOOR)))

    F_k and C_k are the mean squares of two bands in half-overlapping windows of WINDOW px, and s the SHARES. With B a
    binomial blur, B_2 the same with gaps (a trous), and x luminance or one of two colors, the pairs are

        F_1: (1 - B)^2 x, about 2 to 3 px     C_1: (1 - B_2) B x, 3 to 8 px
        F_2: (1 - B) x, 2 to 4 px             C_2: (1 - B_2) B^2 x, 4 to 10 px

    Upsampling by bilinear interpolation and sub-pixel convolution repeats the spectrum of the coarse features at fine
    frequencies: a mesh of 2 to 4 px, mostly in color, whose strength and sign change with what the picture shows. So
    it has no one phase, as the checkerboard loss expects, and few peaks, as the pattern loss does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.colors = OpponentColors()
        shares = torch.tensor([[luminance, color, color] for luminance, color in SHARES])
        self.register_buffer("shares", shares[:, None, :, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= WINDOW.

        Returns:
            A scalar, >= 0, the natural logarithm of a ratio, averaged over the batch.
        """
        fine, coarse = self.energies(pixels)
        excess = ((fine + FLOOR) / (self.get_buffer("shares") * coarse + FLOOR)).log()
        return F.relu(excess).mean((1, 2, 3, 4)).sum()

    def energies(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return F and C of pictures [N, 3, H, W]: each [2, N, channels, rows, columns] of windows."""
        planes = self.colors(pixels)
        once = _blur(planes, 1)
        twice, high = _blur(once, 1), planes - once
        bands = high - _blur(high, 1), high, once - _blur(once, 2), twice - _blur(twice, 2)
        first, second, first_below, second_below = (F.avg_pool2d(band.square(), WINDOW, WINDOW // 2) for band in bands)
        return torch.stack([first, second]), torch.stack([first_below, second_below])


def _blur(planes: Tensor, step: int) -> Tensor:
    """The binomial blur of planes [N, C, H, W] with taps `step` px apart, mirrored at the border."""
    height, width = planes.shape[2:]
    padded = F.pad(planes, (step,) * 4, mode="reflect")
    first, second, third = (tap * padded[:, :, at * step : at * step + height] for at, tap in enumerate(BLUR))
    rows = first + second + third
    first, second, third = (tap * rows[..., at * step : at * step + width] for at, tap in enumerate(BLUR))
    return first + second + third
