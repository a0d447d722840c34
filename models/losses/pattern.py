"""The pattern loss: no weave, hatch or grid, whatever its period and direction."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.moving_average import MovingAverages, average
from impasto.models.losses.opponent import OpponentWindows

WINDOW = 64  # px
NEIGHBORS = 4  # frequencies to each side: the surroundings of a frequency
LOWEST = 4  # periods in a window; at fewer the surroundings include the mean
PERMITTED = 1.5  # times the peaks of photo and painting
FLOOR = 0.01  # squared levels: an amplitude of 0.2 levels at one frequency, which nobody sees
PICTURES, PHOTOS = "peaks_of_pictures", "peaks_of_photos"


class PatternLoss(nn.Module):
    """What stands out of its surroundings in the spectrum of a picture, and not in that of the photo or the painting.

        loss = mean over frequencies f and channels c of
               max(0, Q_fc(x) / (PERMITTED max(1, Q_fc(p), Q_fc(a))) - 1),   Q_fc = (E_fc + FLOOR) / (B_fc + FLOOR)

    E_fc is the variance of a channel (luminance or one of two colors) at a frequency with a direction, in windows of
    WINDOW px; B_fc is the geometric mean of E around f. Strokes vary in size, so their spectrum is smooth. A network
    repeats itself, which gives peaks. `metrics/pattern.py` measures the same in whole pictures.

    Args:
        style_images: The style images a, RGB [1, 3, H, W], 0..255; their mean E_fc counts.
    """

    def __init__(self, style_images: Sequence[Tensor]) -> None:
        super().__init__()
        self.windows = OpponentWindows(WINDOW)
        axis = torch.fft.fftfreq(WINDOW) * WINDOW
        self.register_buffer("compared", (torch.hypot(axis[:, None], axis) >= LOWEST).float())
        energies = torch.cat([self.spectra(image) for image in style_images])
        self.register_buffer("energies", energies.mean(0, keepdim=True))

    def forward(self, pixels: Tensor, photos: Tensor, averages: MovingAverages | None = None) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= WINDOW.
            photos: Their photos p [N, 3, H, W], 0..255.
            averages: Averages of E_fc(x) and E_fc(p), which start from `initial`; by default each picture's own count.

        Returns:
            A scalar, >= 0, averaged over the batch.
        """
        peaks = _peaks(average(averages, PICTURES, self.spectra(pixels)))
        with torch.no_grad():
            photo = _peaks(average(averages, PHOTOS, self.spectra(photos)))
            permitted = PERMITTED * torch.maximum(photo, _peaks(self.get_buffer("energies"))).clamp(min=1)
        return (F.relu(peaks / permitted - 1) * self.get_buffer("compared")).mean()

    def initial(self) -> dict[str, Tensor]:
        """Return the painting's spectra by the names that `forward` gives to the averages."""
        energies = self.get_buffer("energies")
        return {PICTURES: energies, PHOTOS: energies}

    def spectra(self, pixels: Tensor) -> Tensor:
        """Return E of pictures [N, 3, H, W], averaged over half-overlapping windows, [N, 3, WINDOW, WINDOW]."""
        return (torch.fft.fft2(self.windows(pixels)).abs().square() / WINDOW**4).mean((2, 3))


def _peaks(energies: Tensor) -> Tensor:
    """The quotient Q of spectra [N, 3, WINDOW, WINDOW]."""
    size = 2 * NEIGHBORS + 1
    around = F.avg_pool2d(F.pad((energies + FLOOR).log(), (NEIGHBORS,) * 4, mode="circular"), size, 1).exp()
    return (energies + FLOOR) / around
