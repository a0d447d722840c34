import numpy as np
import pytest
import torch
from scipy import ndimage

from impasto.models.losses.mesh import MeshLoss
from impasto.models.losses.opponent import OPPONENT


def smooth(sigma: float = 2.0, seed: int = 0) -> torch.Tensor:
    """Blurred noise [1, 3, 96, 128] around gray, with a standard deviation of 30."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(3, 96, 128)), (0, sigma, sigma))
    return torch.from_numpy(127 + 30 * noise / noise.std()).float()[None]


def mesh(frequency: float, channel: int, amplitude: float = 3.0) -> torch.Tensor:
    """Stripes of a frequency in cycles/px whose amplitude changes its sign over the picture."""
    columns = torch.arange(128)
    wave = torch.cos(2 * torch.pi * frequency * columns + 0.5) * torch.cos(2 * torch.pi * columns / 64)
    return amplitude * wave.expand(1, 1, 96, 128) * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)


LOSS = MeshLoss()


def test_mesh_loss_of_natural_textures_is_0_at_any_contrast() -> None:
    assert LOSS(smooth()).item() < 1e-3
    assert LOSS(127 + 4 * (smooth(seed=1) - 127)).item() < 1e-3
    assert LOSS(torch.full((1, 3, 96, 128), 90.0)).item() == 0


@pytest.mark.parametrize("frequency", [0.4, 0.44, 0.5])
@pytest.mark.parametrize("channel", range(3))
def test_mesh_loss_sees_a_mesh_of_any_phase_on_a_texture(frequency: float, channel: int) -> None:
    texture = smooth(4.0)
    assert LOSS(texture + mesh(frequency, channel)).item() > LOSS(texture).item() + 0.2


def test_mesh_loss_permits_coarser_strokes_and_sharp_outlines() -> None:
    strokes = torch.full((1, 3, 96, 128), 127.0) + mesh(1 / 6, 0, 20.0)
    assert LOSS(strokes).item() < 0.05
    edge = torch.full((1, 3, 96, 128), 40.0)
    edge[..., 63:] = 200.0
    assert LOSS(edge).item() < 0.1


def test_mesh_loss_equals_the_formula_for_a_batch() -> None:
    pictures = torch.cat([smooth(0.6, 1), smooth(0.5, 2)])

    def blur(planes: np.ndarray, *taps: float) -> np.ndarray:
        return ndimage.correlate1d(ndimage.correlate1d(planes, taps, 1, mode="mirror"), taps, 2, mode="mirror")

    def energy(band: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(band**2, (8, 8), (1, 2))[:, ::4, ::4].mean((-2, -1))

    values = []
    for picture in pictures.numpy().astype(float):
        planes = np.einsum("kc,chw->khw", np.array(OPPONENT), picture)
        once = blur(planes, 0.25, 0.5, 0.25)
        high, twice = planes - once, blur(once, 0.25, 0.5, 0.25)
        pairs = [
            (high - blur(high, 0.25, 0.5, 0.25), once - blur(once, 0.25, 0, 0.5, 0, 0.25), (0.15, 0.1, 0.1)),
            (high, twice - blur(twice, 0.25, 0, 0.5, 0, 0.25), (0.6, 0.5, 0.5)),
        ]
        for fine, coarse, shares in pairs:
            limit = np.array(shares)[:, None, None] * energy(coarse)
            values.append(np.maximum(0, np.log((energy(fine) + 0.1) / (limit + 0.1))).mean())
    assert min(values) > 0.1
    assert LOSS(pictures).item() == pytest.approx(sum(values) / 2, rel=1e-4)


def test_mesh_loss_has_a_gradient_for_a_flat_picture() -> None:
    picture = torch.full((1, 3, 96, 128), 90.0).requires_grad_()
    LOSS(picture).backward()
    assert picture.grad is not None and torch.isfinite(picture.grad).all()
