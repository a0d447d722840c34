"""Artifact metrics detect planted artifacts and are low for photos and a trained network."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from skimage import data
from torch import Tensor

from impasto.models import checkpoint
from impasto.models.image.picture import resize
from impasto.models.metrics import artifacts
from impasto.models.metrics.artifacts import blobs, border, checkerboard, figures

TRAINED = Path(__file__).parents[2] / "assets" / "swirls.safetensors"
LIMITS = {
    "checkerboard": 1.5,
    "blobs": 10.0,
    "border": 0.2,
}  # above the photo's own values, as configs/schema/evaluate.py proposes


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    squares = [data.astronaut(), data.coffee()[:, 100:500], data.cat()[:, 75:375]]
    return [torch.from_numpy(resize(square, 256)).permute(2, 0, 1)[None].float() for square in squares]


@pytest.fixture(scope="module")
def stylized(photos: list[Tensor]) -> list[Tensor]:
    network, _ = checkpoint.load(TRAINED)
    with torch.no_grad():
        return [network(photo) for photo in photos]


def woven(pixels: Tensor) -> Tensor:
    weave = torch.tensor([4.0, 0.0, -4.0, 0.0]).repeat(pixels.shape[2] // 4)[:, None]
    return (pixels + weave).clamp(0, 255)


def checkered(pixels: Tensor) -> Tensor:
    rows, columns = (torch.arange(side) for side in pixels.shape[2:])
    return (pixels + 4 * ((rows[:, None] + columns) % 2) - 2).clamp(0, 255)


def dotted(pixels: Tensor) -> Tensor:
    dotted = pixels.clone()
    for row, column, radius, level in ((60, 80, 4, 255), (150, 200, 6, 0), (200, 100, 3, 255)):
        rows, columns = (torch.arange(side) for side in pixels.shape[2:])
        away = ((rows[:, None] - row) ** 2 + (columns - column) ** 2).sqrt()
        dotted[..., away <= radius + 2] = 128  # the fringe of a droplet
        dotted[..., away <= radius] = level
    return dotted


def framed(pixels: Tensor) -> Tensor:
    framed = 0.8 * pixels
    framed[..., 4:-4, 4:-4] = pixels[..., 4:-4, 4:-4]
    return framed


def test_figures_of_trained_network_are_low(photos: list[Tensor], stylized: list[Tensor]) -> None:
    of_photos, of_network = [figures(photo) for photo in photos], [figures(pixels) for pixels in stylized]
    for before, after in zip(of_photos, of_network, strict=True):
        assert before["checkerboard"] < 2
        assert before["border"] < 0.25
        for name, limit in LIMITS.items():
            assert after[name] - before[name] < limit + 0.02, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "plant"), [("checkerboard", woven), ("checkerboard", checkered), ("blobs", dotted), ("border", framed)]
)
def test_figures_detect_planted_artifacts(
    name: str, plant: Callable[[Tensor], Tensor], photos: list[Tensor], stylized: list[Tensor]
) -> None:
    for photo, pixels in zip(photos, stylized, strict=True):
        scores, base = figures(plant(pixels)), figures(pixels)
        assert scores[name] - (base if name == "blobs" else figures(photo))[name] > LIMITS[name]
        for other in LIMITS.keys() - {name}:
            assert abs(scores[other] - base[other]) < LIMITS[other] / 2


def test_figures_report_the_larger_of_both_grids() -> None:
    flat = torch.full((1, 3, 64, 64), 128.0)
    assert (
        figures(checkered(flat))["checkerboard"] == checkerboard(checkered(flat), 2) > checkerboard(checkered(flat), 4)
    )
    assert figures(woven(flat))["checkerboard"] == checkerboard(woven(flat), 4) > checkerboard(woven(flat), 2)


@pytest.mark.parametrize("period", [2, 4])
def test_checkerboard_without_one_is_about_one(period: int) -> None:
    noise = 128 + 30 * torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert 0.7 < checkerboard(noise, period) < 1.1
    assert checkerboard(torch.full((2, 3, 32, 48), 255.0), period) == 1
    steps = 20.0 * (torch.arange(64) % 8 < 4).expand(1, 3, 64, 64)
    assert checkerboard(steps, period) < 1.1  # 8 px is not a network's grid


def test_blobs_ignores_other_saturated_regions() -> None:
    pixels = torch.full((1, 3, 256, 256), 128.0)
    pixels[..., :100, :] = 255  # a sky
    pixels[..., 120:123, 20:23] = 0  # too small
    pixels[:, 0, 120:140, 60:80] = 255  # one channel alone
    pixels[..., 150:170, 20:40] = 0
    pixels[..., 152:168, 22:38] = 128  # an outline
    pixels[..., 180:250, 20:90] = 0  # too large
    assert blobs(pixels) == 0
    pixels[..., 150:162, 100:112] = torch.tensor([255.0, 0, 0])[:, None, None]
    assert blobs(pixels) == pytest.approx(1e6 / 256**2)


def test_border_is_relative_to_the_inner_standard_deviation() -> None:
    pixels = 128 + 20 * torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    assert border(pixels) < 0.05
    pixels[..., : artifacts.FRAME] += 20
    assert 0.2 < border(pixels) < 1  # a quarter of the frame
    assert border(torch.full((1, 3, 32, 32), 7.0)) == 0
