"""The flatness loss: where the photo is flat, a picture has no more fine texture than the painting where it is flat."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.opponent import OPPONENT, OpponentColors

RADII = (1, 2, 4)  # px, of the box blurs between the bands: texture of about 2 to 16 px
WINDOW = 32  # px
FLATTEST = 0.2  # the share of the painting's windows that counts as flat
FLAT = 4.0  # squared levels: the energy of a photo's window that counts by 1 / e
PAINTED = 1.0  # squared levels: the least energy of a window that counts, so that a margin of plain paper does not
FLOOR = 0.1  # squared levels: an amplitude of 0.3 levels, which nobody sees


class FlatnessLoss(nn.Module):
    """The texture of a picture in the windows where its photo is flat, beyond what the painting has in its flat ones.

        loss = mean over windows w, bands b and channels c of
               exp(-E_w(p) / FLAT) max(0, sqrt((E_wbc(x) + FLOOR) / A_bc) - 1)

    E_wbc is the mean square of a channel (luminance or one of two colors) in a band of frequencies, in half-overlapping
    windows of WINDOW px. E_w(p) is the sum of the photo's energies of luminance over the bands. A_bc is the mean of
    E_wbc + FLOOR over the FLATTEST of the painting's windows: those with the least energy in all bands and channels,
    of those with more than PAINTED. Gram matrices ask every crop for as much texture as the whole painting has,
    so networks weave where there is nothing to paint.

    Args:
        style_image: The style image, RGB [1, 3, H, W], 0..255, H and W >= WINDOW.
    """

    def __init__(self, style_image: Tensor) -> None:
        super().__init__()
        self.colors = OpponentColors()
        energies = self.energies(style_image)[0].flatten(1)
        painted = energies[:, energies.sum(0) > PAINTED]
        energies = painted if painted.shape[1] else energies
        count = max(1, round(FLATTEST * energies.shape[1]))
        flattest = energies.sum(0).argsort()[:count]
        self.register_buffer("permitted", (energies[:, flattest].mean(1) + FLOOR)[None, :, None, None])

    def forward(self, pixels: Tensor, photos: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= WINDOW.
            photos: Their photos p [N, 3, H, W], 0..255.

        Returns:
            A scalar, >= 0, averaged over the batch.
        """
        with torch.no_grad():
            flatness = self.flatness(photos)
        excess = ((self.energies(pixels) + FLOOR) / self.get_buffer("permitted")).sqrt() - 1
        return (flatness * F.relu(excess)).mean()

    def flatness(self, photos: Tensor) -> Tensor:
        """Return exp(-E / FLAT) of photos [N, 3, H, W]: [N, 1, rows, columns] of windows, 1 for a plain one."""
        return torch.exp(-self.energies(photos, channels=1).sum(1, keepdim=True) / FLAT)

    def energies(self, pixels: Tensor, channels: int = len(OPPONENT)) -> Tensor:
        """Return E of pictures [N, 3, H, W]: [N, bands x channels, rows, columns] of windows, the finest band first.

        One channel is luminance alone.
        """
        planes, bands = self.colors(pixels, channels), []
        finer = planes
        for radius in RADII:
            size = 2 * radius + 1
            padded = F.pad(planes, (radius,) * 4, mode="reflect")
            blurred = F.avg_pool2d(F.avg_pool2d(padded, (size, 1), 1), (1, size), 1)  # faster than in one
            bands.append(finer - blurred)
            finer = blurred
        return F.avg_pool2d(torch.cat(bands, 1).square(), WINDOW, WINDOW // 2)
