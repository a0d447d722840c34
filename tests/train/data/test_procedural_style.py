"""Procedural style images: reproducible, with strokes everywhere."""

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.train.data.procedural_style import PAINTERS, paint

SIZE = 96


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


@pytest.fixture(scope="module", params=sorted(PAINTERS))
def painter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def picture(painter: str) -> NDArray[np.uint8]:
    return paint(painter, SIZE, 6)


@pytest.mark.slow
def test_paint_same_arguments_returns_the_same_image(painter: str, picture: NDArray[np.uint8]) -> None:
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, paint(painter, SIZE, 6))


@pytest.mark.slow
def test_paint_other_seed_returns_another_image(painter: str, picture: NDArray[np.uint8]) -> None:
    other = paint(painter, SIZE, 7)
    assert np.abs(picture.astype(np.float64) - other).mean() > 20.0


@pytest.mark.slow
def test_paint_larger_size_keeps_the_composition(painter: str, picture: NDArray[np.uint8]) -> None:
    large = paint(painter, 2 * SIZE, 6).astype(np.float64)

    def coarse(pixels: NDArray[np.float64], block: int) -> NDArray[np.float64]:
        return np.asarray(pixels.reshape(12, block, 12, block, 3).mean(axis=(1, 3)))

    gap = np.abs(coarse(picture.astype(np.float64), SIZE // 12) - coarse(large, SIZE // 6))
    assert gap.mean() < 8.0


def test_paint_has_no_flat_areas(picture: NDArray[np.uint8]) -> None:
    tiles = _luma(picture).reshape(6, SIZE // 6, 6, SIZE // 6).std(axis=(1, 3))
    assert tiles.min() > 4.0
    assert np.median(tiles) > 15.0


def test_paint_strokes_are_parallel_locally_and_of_all_directions_overall(picture: NDArray[np.uint8]) -> None:
    down, right = np.gradient(_luma(picture))
    tensor = np.stack([right * right - down * down, 2.0 * right * down, right * right + down * down])
    tiles = tensor.reshape(3, 8, SIZE // 8, 8, SIZE // 8).mean(axis=(2, 4)).reshape(3, -1)
    coherence = np.hypot(tiles[0], tiles[1]) / tiles[2]
    assert np.median(coherence) > 0.25  # uncorrelated noise of this size stays near 0.1
    angles = np.arctan2(tiles[1], tiles[0])
    counts = np.histogram(angles, bins=4, range=(-np.pi, np.pi))[0]
    assert (counts >= 3).all()


def test_paint_has_warm_and_cool_dark_and_light_colors(picture: NDArray[np.uint8]) -> None:
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    warm, cool = red - np.minimum(green, blue), np.maximum(green, blue) - red
    assert (warm > 50.0).mean() > 0.15
    assert (cool > 30.0).mean() > 0.15
    assert (_luma(picture) < 45.0).mean() > 0.02
    assert (_luma(picture) > 190.0).mean() > 0.02


def test_paint_unknown_painter_or_small_size_raises() -> None:
    with pytest.raises(ValueError, match=r"unknown painter 'dots'.*swirls"):
        paint("dots", SIZE, 1)
    with pytest.raises(ValueError, match="at least 16"):
        paint("swirls", 8, 1)
