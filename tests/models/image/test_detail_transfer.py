"""Enlarging stylized pictures with the photo's detail."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models.image import detail_transfer
from impasto.models.image.picture import resize

ROWS, COLUMNS = np.indices((240, 360))
WAVES = 90 * np.sin(ROWS / 14) + np.where(COLUMNS % 3, 10, -20)  # with lines too fine for a third of the size
LINES = np.clip(128 + WAVES, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
SMALL = resize(LINES, 80)


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    planes = [Image.fromarray(plane) for plane in pixels.astype(np.float32).transpose(2, 0, 1)]
    large = np.dstack([np.asarray(plane.resize((360, 240), Image.Resampling.BICUBIC)) for plane in planes])
    return np.rint(large.clip(0, 255)).astype(np.uint8)


def test_enlarge_picture_that_follows_the_photo_restores_its_detail() -> None:
    output = detail_transfer.enlarge(SMALL, SMALL, LINES).astype(int)
    plain = enlarged(SMALL).astype(int)
    assert np.abs(output - LINES).mean() < 0.35 * np.abs(plain - LINES).mean()
    negative = detail_transfer.enlarge(255 - SMALL, SMALL, LINES).astype(int)
    assert np.abs(negative - (255 - LINES.astype(int))).mean() < 0.35 * np.abs(plain - LINES).mean()


def test_enlarge_strokes_unrelated_to_the_photo_preserves_them() -> None:
    y, x = np.indices((80, 120))
    strokes = (127.5 + 120 * np.sin(np.stack([x + y, x - y, x + 2 * y], axis=-1) * (np.pi / 14))).astype(np.uint8)
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    output, plain = (
        pixels.astype(float) - 127.5
        for pixels in (detail_transfer.enlarge(strokes, flat_small, flat), enlarged(strokes))
    )
    assert np.abs(output - plain).mean() < 6 and (output * plain).mean() > 0.93 * (plain**2).mean()


def test_enlarge_pixel_scale_grid_attenuates_it() -> None:
    fine = np.where(np.indices((80, 120)).sum(0) % 2, 40, -40)
    gray, color = (
        np.full((80, 120, 3), 120) + fine[..., None] * np.array(what) for what in ((1, 1, 1), (114, 0, -299))
    )
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    for strokes, left in ((gray, 0.3), ((color - 120) / 299 + 120, 0.02)):
        small = np.rint(strokes).astype(np.uint8)
        output = detail_transfer.enlarge(small, flat_small, flat)
        assert output.std() < left * enlarged(small).std()
        np.testing.assert_array_equal(detail_transfer.enlarge(small, flat_small, flat_small), small)


def test_enlarge_color_fringes_attenuates_them() -> None:
    """Stripes of 2 px in green and magenta of equal luminance."""
    stripes = np.where(np.indices((80, 120))[1] // 2 % 2, 1.0, -1.0)[..., None] * np.array((29.3, -19.6, 24.1))
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    small = np.rint(120 + stripes).astype(np.uint8)
    assert detail_transfer.enlarge(small, flat_small, flat).std() < 0.3 * enlarged(small).std()


def test_enlarge_in_bands_leaves_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    stylized = resize(np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8), 80)
    whole = detail_transfer.enlarge(stylized, SMALL, LINES)
    monkeypatch.setattr(detail_transfer, "_BAND_PIXELS", 360 * 7)
    assert np.abs(detail_transfer.enlarge(stylized, SMALL, LINES).astype(int) - whole).max() <= 1
