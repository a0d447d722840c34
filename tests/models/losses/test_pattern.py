import numpy as np
import pytest
import torch

from impasto.models.losses.moving_average import MovingAverages
from impasto.models.losses.opponent import OPPONENT
from impasto.models.losses.pattern import PatternLoss

SIDE = 192


def texture(seed: int, amplitude: float = 10) -> torch.Tensor:
    """Noise whose spectrum falls as natural photos' does, [1, 3, SIDE, SIDE]."""
    noise = np.random.default_rng(seed).standard_normal((3, SIDE, SIDE))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)).clip(1 / SIDE)
    plane = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    return torch.from_numpy(127 + amplitude * plane / plane.std())[None].float()


def wave(period: float, degrees: float, channel: int = 0) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    angle = torch.deg2rad(torch.tensor(degrees))
    phase = 2 * torch.pi * (torch.sin(angle) * rows + torch.cos(angle) * columns) / period
    return torch.cos(phase) * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize(("period", "degrees"), [(2.5, 45), (5.7, 20), (8, 0), (11, 70)])
def test_pattern_loss_sees_a_wave_of_any_period_direction_and_color(
    period: float, degrees: float, channel: int
) -> None:
    picture, photo = texture(0), texture(1)
    loss = PatternLoss([texture(2)])
    clean = loss(picture, photo).item()
    assert loss(picture + 6 * wave(period, degrees, channel), photo).item() > clean + 0.003


def test_pattern_loss_permits_noise_and_what_photo_or_painting_have() -> None:
    woven = texture(0) + 6 * wave(8, 30)
    assert PatternLoss([texture(2)])(texture(0), texture(1)).item() < 0.005
    excess = PatternLoss([texture(2)])(woven, texture(1)).item()
    assert PatternLoss([texture(2)])(woven, texture(1) + 6 * wave(8, 30)).item() < 0.1 * excess
    assert PatternLoss([texture(2) + 6 * wave(8, 30)])(woven, texture(1)).item() < 0.1 * excess


def test_pattern_loss_does_not_see_an_amplitude_below_a_level() -> None:
    flat = torch.full((1, 3, SIDE, SIDE), 127.0)
    loss = PatternLoss([flat])
    assert loss(flat + 0.1 * wave(8, 30), flat).item() < 0.01 < loss(flat + 4 * wave(8, 30), flat).item()


def test_pattern_loss_averages_over_steps_what_crops_do_not_share() -> None:
    loss = PatternLoss([texture(2)])
    averages = MovingAverages(loss.initial(), 0.9)
    for step in range(20):
        varied = loss(texture(step) + 6 * wave(5 + step / 2, 30 * step), texture(50 + step), averages)
    averages = MovingAverages(loss.initial(), 0.9)
    for step in range(20):
        same = loss(texture(step) + 6 * wave(8, 30), texture(50 + step), averages)
    assert varied.item() < 0.5 * same.item()


def test_pattern_loss_gradient_lowers_the_wave() -> None:
    loss = PatternLoss([texture(2)])
    woven, photo = texture(0) + 6 * wave(8, 30), texture(1)
    woven.requires_grad_()
    first = loss(woven, photo)
    (gradient,) = torch.autograd.grad(first, woven)
    assert (gradient * wave(8, 30)).sum().item() > 0
    assert loss(woven - 2 * gradient / gradient.std(), photo).item() < first.item()
