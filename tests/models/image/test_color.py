"""Mixing a stylized picture with its photo."""

import numpy as np
import pytest

from impasto.models.image import color


def noise(height: int, width: int, seed: int = 0) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_keep_colors_combines_luminance_and_chroma() -> None:
    gray, photo = np.full((4, 4, 3), 100, np.uint8), np.tile(np.array([90, 120, 60], np.uint8), (4, 4, 1))
    mixed = color.keep_colors(gray, photo)[0, 0].astype(float)
    assert mixed @ color.LUMA == pytest.approx(100, abs=0.5)
    np.testing.assert_allclose(np.diff(mixed), [30, -60], atol=1)
    np.testing.assert_array_equal(color.keep_colors(photo, photo), photo)
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    assert color.keep_colors(white, photo[:1, :1]).max() == 255 and color.keep_colors(black, photo[:1, :1]).min() == 0


def test_blend_mixes_by_the_mask() -> None:
    stylized, photo = noise(3, 256), noise(3, 256, 1)
    mask = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    mixed, part = color.blend(stylized, photo, mask), mask[..., None] / 255
    np.testing.assert_array_equal(mixed[:, 0], photo[:, 0])
    np.testing.assert_array_equal(mixed[:, 255], stylized[:, 255])
    assert np.abs(mixed - (stylized * part + photo * (1 - part))).max() <= 0.5 + 1e-9


def test_large_picture_in_bands_gives_equal_results(monkeypatch: pytest.MonkeyPatch) -> None:
    stylized, photo, mask = noise(50, 7), noise(50, 7, 1), noise(50, 7, 2)[..., 0]
    whole = color.keep_colors(stylized, photo), color.blend(stylized, photo, mask), color.gray(photo)
    monkeypatch.setattr(color, "_BAND_PIXELS", 30)
    bands = color.keep_colors(stylized, photo), color.blend(stylized, photo, mask), color.gray(photo)
    outputs = stylized.copy(), stylized.copy()
    assert color.keep_colors(outputs[0], photo, out=outputs[0]) is outputs[0]
    assert color.blend(outputs[1], photo, mask, out=outputs[1]) is outputs[1]
    for one, other in zip(whole, outputs, strict=False):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole, bands, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("strength", [0.0, 0.003, 0.25, 0.5, 0.9999, 1.0])
def test_mix_is_the_rounded_blend_and_may_write_into_its_input(strength: float) -> None:
    stylized, photo = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    exact = photo + strength * (stylized.astype(float) - photo)
    mixed = color.mix(stylized, photo, strength)
    assert np.abs(mixed - exact).max() <= 0.5 + 255 / 2**17
    if strength in (0, 1):
        np.testing.assert_array_equal(mixed, exact)
    np.testing.assert_array_equal(color.mix(stylized, photo, strength, out=stylized), mixed)
    assert stylized is not mixed and (stylized == mixed).all()
