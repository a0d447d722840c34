"""Grain: its size, its smoothness, and that it depends on the position alone."""

import numpy as np
import pytest

from impasto.configs.schema import style
from impasto.models.image.grain import MAX_GRAIN, add_grain


def gray(height: int, width: int, level: int = 128) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def grain(height: int, width: int, levels: float) -> np.ndarray:
    """What is added to a gray photo, in levels."""
    return add_grain(gray(height, width), levels).astype(float) - 128


def test_grain_of_0_levels_is_the_photo() -> None:
    photo = gray(8, 9)
    assert add_grain(photo, 0) is photo


@pytest.mark.parametrize("levels", [3, 10])
def test_grain_has_the_requested_standard_deviation_and_no_color(levels: float) -> None:
    added = grain(512, 512, levels)
    assert added.std() == pytest.approx(levels, rel=0.02)  # rounding adds 1 / 12
    assert abs(added.mean()) < 0.05
    assert np.array_equal(added[..., 0], added[..., 1]) and np.array_equal(added[..., 0], added[..., 2])


def test_grain_is_the_same_in_every_version() -> None:
    """Viewers saw this one, and the clients have the same."""
    expected = [[-9, -8, -4, 3], [-13, -12, -7, -1], [-16, -14, -9, -3], [-18, -15, -10, -4]]
    assert grain(4, 4, 10)[..., 0].tolist() == expected


def test_grain_is_smooth_also_where_it_repeats() -> None:
    """Neighbors at d px correlate by exp(-d^2 / 16), the autocorrelation of a Gaussian filter of 2 px."""
    added = grain(1024, 1024, 20)[..., 0] / 20
    for distance in (1, 2, 4, 8):
        for axis in (0, 1):
            shifted = np.roll(added, distance, axis)
            assert (added * shifted).mean() == pytest.approx(np.exp(-(distance**2) / 16), abs=0.05)
    borders = added[511] * added[512]
    assert borders.mean() / added[511].std() / added[512].std() > 0.85
    assert np.array_equal(added[:512], added[512:])


def test_grain_depends_on_the_position_alone() -> None:
    large = grain(700, 900, 3)
    assert np.array_equal(grain(300, 200, 3), large[:300, :200])
    photo = np.random.default_rng(0).integers(20, 230, (300, 200, 3)).astype(np.uint8)
    difference = add_grain(photo, 3).astype(float) - photo
    assert np.array_equal(difference, large[:300, :200])


def test_limit_is_that_of_the_settings() -> None:
    assert MAX_GRAIN == style.MAX_GRAIN


def test_grain_is_clipped() -> None:
    for level in (0, 255):
        output = add_grain(gray(64, 64, level), 30)
        assert abs(int(output.min()) - level) + abs(int(output.max()) - level) < 160  # nothing wraps around
        assert (output == level).mean() > 0.4
