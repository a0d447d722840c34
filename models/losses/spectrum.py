"""The spectrum loss: bands of frequencies have the painting's energy: full contrast, and no weave."""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.moving_average import MovingAverages, average

# Rows: luminance, red-green and blue-yellow, orthonormal
OPPONENT = ((3**-0.5, 3**-0.5, 3**-0.5), (2**-0.5, -(2**-0.5), 0.0), (6**-0.5, 6**-0.5, -2 * 6**-0.5))
BANDS_PER_OCTAVE = 3
LONGEST = 128  # px; the longest period
BANDS = round(BANDS_PER_OCTAVE * math.log2(LONGEST / 2)) + 1
FINE, FINE_SHARE = 8, 0.15  # px, and the permitted part of the painting's energy
FINEST, FINEST_SHARE = 3, 0.02
PICTURES, PHOTOS = "energies_of_pictures", "energies_of_photos"
FLOOR = 0.02  # squared levels for each band: what a person does not see


class SpectrumLoss(nn.Module):
    """The difference of a picture's energy from the painting's, by frequency band and color.

        loss = mean over bands b and channels c of
               max(0, E_bc(x) / (s_b E_bc(a) + E_bc(p) + FLOOR) - 1) + t_b max(0, E_bc(a) - E_bc(x)) / (E_bc(a) + FLOOR)

    E_bc is the variance of a channel, which is luminance or one of two colors, in a band of a third of an octave, from
    periods of 2 px to LONGEST. The Gram matrices of the perceptual loss do not see how regular a texture is, so
    networks imitate the contrasts of irregular strokes by a weave or a hatch: much energy in one band. They can only
    repeat fine texture, so s_b, the permitted part of the painting's energy, is less than 1 for periods below FINE. At
    longer periods t_b is 1: networks that minimize the perceptual loss alone paint with half of its contrast.

    Args:
        style_images: The style images a, RGB [1, 3, H, W], 0..255; their mean E_bc counts.
    """

    def __init__(self, style_images: Sequence[Tensor]) -> None:
        super().__init__()
        self.register_buffer("opponent", torch.tensor(OPPONENT, dtype=torch.float32)[:, :, None, None])
        energies = [self._both(window) for image in style_images for window in _windows(image)]
        self.register_buffer("painting", torch.stack(energies).mean(0))
        periods = LONGEST / 2 ** (torch.arange(BANDS) / BANDS_PER_OCTAVE)
        share = torch.where(periods < FINE, FINE_SHARE, 1.0)
        self.register_buffer("share", torch.where(periods < FINEST, FINEST_SHARE, share))
        self.register_buffer("coarse", (periods >= FINE).float())

    def forward(self, pixels: Tensor, photos: Tensor, averages: MovingAverages | None = None) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= 64.
            photos: Their photos p [N, 3, H, W], 0..255.
            averages: Averages of E_bc(x) and E_bc(p), which start from `initial`; by default each picture's own count.

        Returns:
            A scalar, >= 0, averaged over the batch.
        """
        painting = self.get_buffer("painting")
        energies = average(averages, PICTURES, self._both(pixels))
        photo = average(averages, PHOTOS, self._both(photos))
        allowed = self.get_buffer("share") * painting + photo + FLOOR
        excess = F.relu(energies / allowed - 1)
        lack = self.get_buffer("coarse") * F.relu(painting - energies) / (painting + FLOOR)
        return (excess + lack).mean()

    def initial(self) -> dict[str, Tensor]:
        """Return the painting's energies by the names that `forward` gives to the averages."""
        painting = self.get_buffer("painting")
        return {PICTURES: painting, PHOTOS: painting}

    def _both(self, pixels: Tensor) -> Tensor:
        """The energies of pictures and, mirrored to the middle, of their borders, [N, 6, bands].

        The window of the spectrum hides the borders, where a network would paint its weave.
        """
        corners = [self.energies(_mirror(corner)) for corner in (pixels, pixels.flip(2, 3))]
        return torch.cat([self.energies(pixels), (corners[0] + corners[1]) / 2], 1)

    def energies(self, pixels: Tensor) -> Tensor:
        """Return E of pictures [N, 3, H, W], [N, 3, bands]."""
        planes = F.conv2d(pixels.float(), self.get_buffer("opponent"))
        height, width = planes.shape[2:]
        window = _hann(height, planes.device)[:, None] * _hann(width, planes.device)
        planes = (planes - planes.mean((2, 3), keepdim=True)) * window / window.square().mean().sqrt()
        power = torch.fft.rfft2(planes).abs().square() / (height * width) ** 2
        power = power * _multiplicity(width, planes.device)
        return power.flatten(2) @ _bands(height, width, planes.device)


def _mirror(pixels: Tensor) -> Tensor:
    """The top left quarter with its mirror images, so that the top and left borders are in the middle."""
    height, width = pixels.shape[2:]
    quarter = pixels[..., : height // 2, : width // 2]
    half = torch.cat([quarter.flip(3), quarter], 3)
    return torch.cat([half.flip(2), half], 2)


def _windows(image: Tensor) -> list[Tensor]:
    """Squares of at most 256 px that tile a style image."""
    side = min(256, *image.shape[2:])
    return [
        image[..., top : top + side, left : left + side]
        for top in range(0, image.shape[2] - side + 1, side)
        for left in range(0, image.shape[3] - side + 1, side)
    ]


@cache
def _hann(side: int, device: torch.device) -> Tensor:
    return torch.hann_window(side, dtype=torch.float32, device=device)


@cache
def _multiplicity(width: int, device: torch.device) -> Tensor:
    """How often rfft2's columns occur in the whole spectrum: once for the first and, if the width is even, the last."""
    counts = torch.full((width // 2 + 1,), 2.0, dtype=torch.float32, device=device)
    counts[0] = 1
    if width % 2 == 0:
        counts[-1] = 1
    return counts


@cache  # the same at each step
def _bands(height: int, width: int, device: torch.device) -> Tensor:
    """The share of each frequency in each band, [H * (W // 2 + 1), bands]; neighboring bands overlap linearly."""
    kind = {"dtype": torch.float32, "device": device}
    rows, columns = torch.fft.fftfreq(height, **kind), torch.fft.rfftfreq(width, **kind)
    frequency = torch.hypot(rows[:, None], columns).flatten().clamp(min=1e-6)
    position = BANDS_PER_OCTAVE * torch.log2(frequency * LONGEST)
    position = position.clamp(max=BANDS - 1)  # the corners of the spectrum: the last band
    return F.relu(1 - (position[:, None] - torch.arange(BANDS, device=device)).abs())
