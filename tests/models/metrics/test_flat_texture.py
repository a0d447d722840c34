import numpy as np
import pytest

from impasto.models.metrics.flat_texture import FlatTexture, Pixels
from impasto.models.metrics.pattern import pattern


def textured(amplitude: float, seed: int, side: int = 128) -> Pixels:
    """Gray with uniform noise."""
    noise = np.random.default_rng(seed).uniform(-amplitude, amplitude, (side, side, 3))
    return (128 + noise).round().astype(np.uint8)


GRAY = textured(0, 0)
PAINTING = np.concatenate([textured(8, 1), textured(60, 2), textured(60, 3)])  # a third of it is nearly flat


def test_flat_texture_is_relative_to_the_flat_places_of_the_painting() -> None:
    measure = FlatTexture(PAINTING)
    assert measure(textured(8, 5), GRAY) == pytest.approx(1, abs=0.05)
    assert measure(textured(24, 5), GRAY) == pytest.approx(3, abs=0.2)
    plain = measure(GRAY, GRAY)
    assert plain is not None and plain < 0.4


def test_flat_texture_ignores_places_where_the_photo_has_texture() -> None:
    measure = FlatTexture(PAINTING)
    photo, picture = GRAY.copy(), textured(8, 5)
    photo[:, 64:] = textured(60, 6)[:, 64:]
    picture[:, 64:] = textured(60, 7)[:, 64:]
    assert measure(picture, photo) == pytest.approx(measure(textured(8, 5), GRAY), abs=0.2)
    assert measure(picture, textured(60, 6)) is None


def test_flat_texture_sees_a_texture_without_a_period() -> None:
    photo, painting, picture = textured(1, 8, 512), textured(2, 9, 512), textured(6, 10, 512)
    measure = FlatTexture(painting)
    before, after = measure(photo, photo), measure(picture, photo)
    assert before is not None and after is not None and before < 0.9 and after > 2
    assert pattern(picture, photo, painting).fraction < 0.05
