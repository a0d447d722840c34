"""Strokes of one scale at any size, with the photo's detail."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models import texture
from impasto.models.pictures import resize

ROWS, COLUMNS = np.indices((240, 360))
WAVES = 90 * np.sin(ROWS / 14) + np.where(COLUMNS % 3, 10, -20)  # with lines that a third of its size has not
LINES = np.clip(128 + WAVES, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
SMALL = resize(LINES, 80)


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    planes = [Image.fromarray(plane) for plane in pixels.astype(np.float32).transpose(2, 0, 1)]
    large = np.dstack([np.asarray(plane.resize((360, 240), Image.Resampling.BICUBIC)) for plane in planes])
    return np.rint(large.clip(0, 255)).astype(np.uint8)


def test_a_painting_like_its_photo_gets_all_of_its_detail() -> None:
    made = texture.enlarge(SMALL, SMALL, LINES).astype(int)
    plain = enlarged(SMALL).astype(int)
    assert np.abs(made - LINES).mean() < 0.35 * np.abs(plain - LINES).mean()
    negative = texture.enlarge(255 - SMALL, SMALL, LINES).astype(int)
    assert np.abs(negative - (255 - LINES.astype(int))).mean() < 0.35 * np.abs(plain - LINES).mean()


def test_strokes_that_have_nothing_to_do_with_the_photo_stay_as_they_are() -> None:
    y, x = np.indices((80, 120))
    strokes = (127.5 + 120 * np.sin(np.stack([x + y, x - y, x + 2 * y], axis=-1) * (np.pi / 14))).astype(np.uint8)
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    made, plain = (
        pixels.astype(float) - 127.5 for pixels in (texture.enlarge(strokes, flat_small, flat), enlarged(strokes))
    )
    assert np.abs(made - plain).mean() < 6 and (made * plain).mean() > 0.93 * (plain**2).mean()


def test_a_grid_and_fringes_of_single_pixels_are_not_enlarged() -> None:
    fine = np.where(np.indices((80, 120)).sum(0) % 2, 40, -40)
    grey, colour = (
        np.full((80, 120, 3), 120) + fine[..., None] * np.array(what) for what in ((1, 1, 1), (114, 0, -299))
    )
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    for strokes, left in ((grey, 0.3), ((colour - 120) / 299 + 120, 0.02)):
        small = np.rint(strokes).astype(np.uint8)
        made = texture.enlarge(small, flat_small, flat)
        assert made.std() < left * enlarged(small).std()
        np.testing.assert_array_equal(texture.enlarge(small, flat_small, flat_small), small)


def test_fringes_of_colour_are_no_strokes() -> None:
    """Green and magenta side by side, of one luminance, in stripes of 2 px."""
    stripes = np.where(np.indices((80, 120))[1] // 2 % 2, 1.0, -1.0)[..., None] * np.array((29.3, -19.6, 24.1))
    flat, flat_small = np.full((240, 360, 3), 120, np.uint8), np.full((80, 120, 3), 120, np.uint8)
    small = np.rint(120 + stripes).astype(np.uint8)
    assert texture.enlarge(small, flat_small, flat).std() < 0.3 * enlarged(small).std()


def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = resize(np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8), 80)
    whole = texture.enlarge(painted, SMALL, LINES)
    monkeypatch.setattr(texture, "_BAND", 360 * 7)
    assert np.abs(texture.enlarge(painted, SMALL, LINES).astype(int) - whole).max() <= 1
