import math

import numpy as np
import pytest
import torch

from impasto.models.losses.spectrum import (
    BANDS,
    BANDS_PER_OCTAVE,
    FINE_SHARE,
    FLOOR,
    LONGEST,
    OPPONENT,
    SpectrumLoss,
)

FLAT = torch.full((1, 3, 128, 128), 100.0)


def weave(period: float, amplitude: float, channel: int, side: int = 128) -> torch.Tensor:
    """A diagonal wave in one opponent channel."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    wave = torch.cos(2 * torch.pi * (0.6 * rows + 0.8 * columns) / period)
    return 127 + amplitude * wave * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)


def energies_by_numpy(picture: np.ndarray) -> np.ndarray:
    """The variance of each opponent channel of a picture [3, H, W] in each third of an octave, [3, 19]."""
    colors = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])
    planes = np.tensordot(colors, picture, 1)
    height, width = planes.shape[1:]
    rows, columns = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side) for side in (height, width))
    window = np.outer(rows, columns)
    planes = (planes - planes.mean((1, 2), keepdims=True)) * window / np.sqrt((window**2).mean())
    power = np.abs(np.fft.fft2(planes)) ** 2 / (height * width) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)).clip(1e-6)
    position = np.minimum(3 * np.log2(128 * frequency), 18)
    return np.stack([(power * (1 - abs(position - band)).clip(0)).sum((1, 2)) for band in range(19)], 1)


def both_by_numpy(picture: np.ndarray) -> np.ndarray:
    """The energies of a picture, and the mean of those of two opposite corners that are mirrored to the middle."""
    corners = []
    for turned in (picture, picture[:, ::-1, ::-1]):
        quarter = turned[:, : turned.shape[1] // 2, : turned.shape[2] // 2]
        half = np.concatenate([quarter[:, :, ::-1], quarter], 2)
        corners.append(energies_by_numpy(np.concatenate([half[:, ::-1], half], 1)))
    return np.concatenate([energies_by_numpy(picture), np.mean(corners, 0)])


def test_spectrum_loss_equals_the_formula_for_each_picture_of_a_batch() -> None:
    random = np.random.default_rng(0)
    pictures, photos = (127 + scale * random.standard_normal((2, 3, 64, 97)) for scale in (20, 3))
    pictures[1, :, :8] += 9  # a frame
    paintings = [127 + 30 * random.standard_normal((3, 70, 150)), 127 + 60 * random.standard_normal((3, 66, 64))]
    windows = [paintings[0][..., :70], paintings[0][..., 70:140], paintings[1][:, :64]]
    painting = np.mean([both_by_numpy(window) for window in windows], 0)
    periods = 128 / 2 ** (np.arange(19) / 3)
    share = np.where(periods < 3, 0.02, np.where(periods < 8, 0.15, 1))
    losses = []
    for picture, photo in zip(pictures, photos, strict=True):
        energies = both_by_numpy(picture)
        excess = (energies / (share * painting + both_by_numpy(photo) + 0.02) - 1).clip(0)
        lack = (periods >= 8) * (painting - energies).clip(0) / (painting + 0.02)
        assert min(excess.mean(), lack.mean()) > 0.05
        losses.append((excess + lack).mean())
    loss = SpectrumLoss([torch.from_numpy(image)[None].float() for image in paintings])
    batch = (torch.from_numpy(images).float() for images in (pictures, photos))
    assert loss(*batch).item() == pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("period", [2.5, 5.7, 12.0])
def test_spectrum_loss_energies_sum_to_the_variance_in_the_right_band(period: float, channel: int) -> None:
    energies = SpectrumLoss([FLAT]).energies(weave(period, 10, channel))
    assert energies.shape == (1, 3, BANDS)
    assert energies[0, channel].sum().item() == pytest.approx(50, rel=0.05)
    band = BANDS_PER_OCTAVE * math.log2(LONGEST / period)
    assert abs(energies[0, channel].argmax().item() - band) <= 0.6
    others = energies[0].sum(1)
    others[channel] = 0
    assert others.max().item() < 1e-3


def test_spectrum_loss_of_a_weave_on_a_flat_painting_is_its_excess() -> None:
    woven = weave(6, 6, 2)
    loss = SpectrumLoss([FLAT])
    expected = (loss.energies(woven) / FLOOR - 1).clamp(min=0).mean().item()
    assert loss(woven, FLAT).item() == pytest.approx(expected, rel=0.25)  # of which the mirrored borders are a half
    assert expected > 18 / FLOOR / (3 * BANDS) / 2


def test_spectrum_loss_sees_a_weave_along_the_border() -> None:
    framed = FLAT.clone()
    framed[..., :12] = weave(6, 10, 2)[..., :12]
    loss = SpectrumLoss([FLAT])
    for turned in (framed, framed.flip(3), framed.transpose(2, 3), framed.transpose(2, 3).flip(2)):
        assert loss(turned, FLAT).item() > 0.5
    assert loss.energies(framed)[..., 6:].sum().item() < 1  # the window alone hardly sees it


def test_spectrum_loss_permits_what_the_painting_or_the_photo_has() -> None:
    coarse, fine = weave(12, 10, 1), weave(6, 10, 1)
    assert SpectrumLoss([coarse])(coarse, coarse).item() < 1e-3
    assert SpectrumLoss([coarse])(coarse, FLAT).item() < 0.1  # mirroring adds kinks at the borders
    assert SpectrumLoss([coarse])(weave(12, 20, 1), FLAT).item() > 0.2
    assert SpectrumLoss([FLAT])(fine, fine).item() == 0
    assert SpectrumLoss([FLAT])(fine, weave(6, 10, 2)).item() > 1  # another color


def test_spectrum_loss_permits_a_part_of_fine_texture_since_a_network_would_repeat_it() -> None:
    fine = weave(6, 10, 1)
    loss = SpectrumLoss([fine])
    assert loss(127 + FINE_SHARE**0.5 * (fine - 127), FLAT).item() < 0.05  # some leaks into coarse bands
    assert loss(fine, FLAT).item() > 0.1


def test_spectrum_loss_asks_for_the_contrast_of_the_painting() -> None:
    painting = weave(24, 30, 0)
    loss = SpectrumLoss([painting])
    half = loss(127 + 0.5 * (painting - 127), FLAT).item()
    assert half > 0.01
    assert loss(painting, FLAT).item() < 0.5 * half
    flat = loss(FLAT, FLAT)
    assert half < flat.item() < 1


def test_spectrum_loss_windows_of_a_painting_are_averaged() -> None:
    painting = torch.cat([weave(6, 10, 1, 256), FLAT[..., :1].expand(1, 3, 128, 256).repeat(1, 1, 2, 1)], 3)
    energy = SpectrumLoss([painting]).get_buffer("painting")[0, 1].sum().item()
    assert energy == pytest.approx(25, rel=0.05)  # half of the windows have a variance of 50


def test_spectrum_loss_gradient_lowers_the_weave() -> None:
    loss = SpectrumLoss([FLAT])
    woven = weave(6, 10, 1).requires_grad_()
    first = loss(woven, FLAT)
    (gradient,) = torch.autograd.grad(first, woven)
    assert loss(woven - 3 * gradient / gradient.std(), FLAT).item() < first.item()
