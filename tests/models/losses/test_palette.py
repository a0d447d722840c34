import numpy as np
import pytest
import torch

from impasto.models.losses.moving_average import MovingAverages
from impasto.models.losses.palette import PaletteLoss


def gradient(low: float, high: float, side: int = 64) -> torch.Tensor:
    """A picture of shades of gray in equal shares."""
    return torch.linspace(low, high, side).view(1, 1, 1, side).expand(1, 3, side, side).contiguous()


def noise(seed: int, side: int = 32) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (1, 3, side, side))).float()


def cdfs_by_numpy(picture: np.ndarray, thresholds: np.ndarray, axes: np.ndarray) -> np.ndarray:
    height, width = picture.shape[1:]
    cells = picture.reshape(3, height // 4, 4, width // 4, 4).mean((2, 4)).reshape(3, -1)
    colors = cells.T @ axes
    return np.array([1 / (1 + np.exp((colors - level) / 6)) for level in thresholds]).mean(1)


def test_palette_loss_equals_the_formula() -> None:
    painting, picture = noise(0, 64), 0.5 * noise(1, 32)
    loss = PaletteLoss([painting])
    cube = ["001", "01-", "010", "011", "1--", "1-0", "1-1", "10-", "100", "101", "11-", "110", "111"]
    axes = np.array([[{"0": 0.0, "1": 1.0, "-": -1.0}[step] for step in axis] for axis in cube]).T
    axes /= np.linalg.norm(axes, axis=0)
    cells = painting[0].numpy().reshape(3, 16, 4, 16, 4).mean((2, 4)).reshape(3, -1).T @ axes
    thresholds = np.quantile(cells, (np.arange(32) + 0.5) / 32, axis=0)
    shares = [cdfs_by_numpy(image[0].numpy(), thresholds, axes) for image in (picture, painting)]
    expected = 12 * np.square(shares[0] - shares[1]).mean()
    assert expected > 0.1
    assert loss(picture).item() == pytest.approx(expected, rel=1e-3)


def test_palette_loss_of_the_painting_is_0_and_of_a_flat_picture_near_1() -> None:
    painting = gradient(0, 255)
    loss = PaletteLoss([painting])
    assert loss(painting).item() == 0
    assert loss(painting.flip(2, 3)).item() < 1e-6  # where a color is does not matter
    # 1 along the 10 axes on which grays differ, less what the softness of the thresholds takes
    assert 0.5 < loss(torch.full((1, 3, 64, 64), 127.5)).item() < 10 / 13


def test_palette_loss_sees_missing_blacks_and_whites() -> None:
    loss = PaletteLoss([gradient(0, 255)])
    assert loss(gradient(80, 160)).item() > 5 * loss(gradient(20, 235)).item() > 0


def test_palette_loss_sees_a_swap_of_colors_of_equal_luminance() -> None:
    red, blue = torch.tensor([120.0, 80, 80]), torch.tensor([80.0, 80, 187])
    painting = torch.cat([color.view(1, 3, 1, 1).expand(1, 3, 64, 32) for color in (red, blue)], 3)
    loss = PaletteLoss([painting])
    assert loss(painting.flip(1)).item() > 0.1


def test_palette_loss_averages_over_steps() -> None:
    loss = PaletteLoss([gradient(0, 255)])
    averages = MovingAverages(loss.initial(), 0.5)
    dark, light = gradient(0, 127), gradient(127, 255)
    for _ in range(20):
        last = [loss(picture, averages).item() for picture in (dark, light)]
    assert max(last) < 0.5 * min(loss(dark).item(), loss(light).item())


def test_palette_loss_of_two_paintings_asks_for_both() -> None:
    dark, light = gradient(0, 127), gradient(127, 255)
    loss = PaletteLoss([dark, light])
    assert loss(torch.cat([dark, light], 3)).item() < 0.01 < loss(dark).item()


def test_palette_loss_gradient_darkens_what_is_too_light() -> None:
    loss = PaletteLoss([gradient(0, 100)])
    picture = gradient(50, 150).requires_grad_()
    (slope,) = torch.autograd.grad(loss(picture), picture)
    assert slope.mean().item() > 0
