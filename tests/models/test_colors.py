"""Mixing a painted picture with its photo."""

import numpy as np
import pytest

from impasto.models import colors


def noise(height: int, width: int, seed: int = 0) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_luminance_of_one_and_colours_of_the_other() -> None:
    grey, photo = np.full((4, 4, 3), 100, np.uint8), np.tile(np.array([90, 120, 60], np.uint8), (4, 4, 1))
    mixed = colors.keep_colors(grey, photo)[0, 0].astype(float)
    assert mixed @ colors.LUMA == pytest.approx(100, abs=0.5)
    np.testing.assert_allclose(np.diff(mixed), [30, -60], atol=1)
    np.testing.assert_array_equal(colors.keep_colors(photo, photo), photo)
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    assert colors.keep_colors(white, photo[:1, :1]).max() == 255 and colors.keep_colors(black, photo[:1, :1]).min() == 0


def test_a_mask_says_how_much_of_each() -> None:
    painted, photo = noise(3, 256), noise(3, 256, 1)
    mask = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    mixed, part = colors.blend(painted, photo, mask), mask[..., None] / 255
    np.testing.assert_array_equal(mixed[:, 0], photo[:, 0])
    np.testing.assert_array_equal(mixed[:, 255], painted[:, 255])
    assert np.abs(mixed - (painted * part + photo * (1 - part))).max() <= 0.5 + 1e-9


def test_a_large_picture_is_mixed_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    painted, photo, mask = noise(50, 7), noise(50, 7, 1), noise(50, 7, 2)[..., 0]
    whole = colors.keep_colors(painted, photo), colors.blend(painted, photo, mask), colors.grey(photo)
    monkeypatch.setattr(colors, "_BAND", 30)
    bands = colors.keep_colors(painted, photo), colors.blend(painted, photo, mask), colors.grey(photo)
    places = painted.copy(), painted.copy()
    assert colors.keep_colors(places[0], photo, out=places[0]) is places[0]
    assert colors.blend(places[1], photo, mask, out=places[1]) is places[1]
    for one, other in zip(whole, places, strict=False):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole, bands, strict=True):
        np.testing.assert_array_equal(one, other)
