import numpy as np
import pytest
import torch

from impasto.models.losses.opponent import OPPONENT
from impasto.models.losses.weave import WeaveLoss


def noise(seed: int = 0, deviation: float = 4.0) -> torch.Tensor:
    """White noise [1, 3, 128, 160] around gray."""
    return 127 + deviation * torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(seed))


def threads(period: float, degrees: float, channel: int = 0, amplitude: float = 4.0) -> torch.Tensor:
    """Stripes [1, 3, 128, 160] of a period in px, at an angle."""
    y, x = torch.arange(128.0)[:, None], torch.arange(160.0)
    along = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    wave = torch.cos(2 * torch.pi * along / period + 0.3)
    return amplitude * wave * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)


LOSS = WeaveLoss()


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("period", [4.3, 6.0, 9.0])
def test_weave_loss_sees_threads_across_and_along_the_picture(period: float, channel: int) -> None:
    woven = noise() + threads(period, 0, channel) + threads(period, 90, channel)
    assert LOSS(woven).item() > LOSS(noise()).item() + 0.5


def test_weave_loss_permits_strokes_of_one_direction_noise_and_flat_pictures() -> None:
    least = LOSS(noise()).item()
    assert least < 0.05
    for degrees in (0, 90, 30):
        assert LOSS(noise() + threads(6, degrees)).item() < least + 0.06
    assert LOSS(noise() + threads(6, 30) + threads(6, 120)).item() < least
    assert LOSS(torch.full((1, 3, 64, 64), 90.0)).item() == 0


def test_weave_loss_sees_a_weave_whose_period_varies() -> None:
    across = torch.cos(25 * torch.arange(160.0).sqrt())
    along = torch.cos(25 * torch.arange(128.0).sqrt())[:, None]
    woven = noise() + 3 * (across + along)  # periods of up to 6 px, shorter at the left and the top
    assert LOSS(woven).item() > LOSS(noise()).item() + 0.5


def test_weave_loss_equals_the_formula_for_a_batch() -> None:
    pictures = torch.cat(
        [noise(1) + threads(6, 0) + threads(6, 90, amplitude=2), noise(2) + threads(9, 0, 1) + threads(9, 90, 1)]
    )
    hann = np.hanning(33)[:32]
    window = hann[:, None] * hann
    window /= np.sqrt((window**2).mean())
    axis = np.fft.fftfreq(32) * 32
    y, x = np.meshgrid(axis, axis, indexing="ij")
    radius, values = np.hypot(x, y), []
    for picture in pictures.numpy().astype(float):
        planes = np.einsum("kc,chw->khw", np.array(OPPONENT), picture)
        blocks = np.lib.stride_tricks.sliding_window_view(planes, (32, 32), (1, 2))[:, ::16, ::16]
        blocks = (blocks - blocks.mean((-2, -1), keepdims=True)) * window
        energies = np.abs(np.fft.fft2(blocks)) ** 2 / 32**4
        total = 0.0
        for low, high in ((2.5, 4.5), (4.5, 6.5), (6.5, 8.5)):
            ring = (radius >= low) & (radius < high)
            between = ring & (np.minimum(abs(x), abs(y)) >= 2)
            parts = (ring & (abs(y) <= 1), ring & (abs(x) <= 1), between)
            across, along, rest = (energies[..., part].mean(-1) + 0.003 for part in parts)
            total += np.maximum(0, np.log(np.minimum(across, along) / (1.5 * rest))).mean()
        values.append(total)
    assert min(values) > 0.1
    assert LOSS(pictures).item() == pytest.approx(sum(values) / 2, rel=1e-4)


def test_weave_loss_has_a_gradient_that_is_finite_for_a_flat_picture() -> None:
    picture = torch.full((1, 3, 64, 64), 90.0).requires_grad_()
    LOSS(picture).backward()
    assert picture.grad is not None and torch.isfinite(picture.grad).all()
    picture = (noise() + threads(6, 0) + threads(6, 90)).requires_grad_()
    LOSS(picture).backward()
    assert picture.grad is not None and picture.grad.abs().max() > 0
