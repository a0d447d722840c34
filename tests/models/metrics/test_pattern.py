import numpy as np
import pytest
from scipy import ndimage

from impasto.models.metrics.pattern import OPPONENT, Pixels, pattern

FAIL = 0.25  # the docs' starting value of evaluate.max_pattern


def natural(seed: int, height: int = 640, width: int = 768) -> Pixels:
    """A picture with the 1/f spectrum of photos, in color."""
    random = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    falloff = 1 / np.maximum(np.hypot(rows, columns), 1 / width)
    planes = np.stack([np.fft.ifft2(np.fft.fft2(random.normal(size=(height, width))) * falloff).real for _ in range(3)])
    planes *= np.array([40.0, 10.0, 10.0])[:, None, None] / planes.std((1, 2), keepdims=True)
    return to_bytes(np.einsum("chw,cr->hwr", planes, OPPONENT) + 127)


def to_bytes(pixels: np.ndarray) -> Pixels:
    return pixels.round().clip(0, 255).astype(np.uint8)


def hatch(period: float, levels: float, channel: int, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = np.indices(shape[:2])
    wave = np.cos(2 * np.pi * (0.6 * rows + 0.8 * columns) / period)
    return levels * wave[..., None] * OPPONENT[channel] / np.square(OPPONENT[channel]).sum()


def stars(period: int, jitter: float, shape: tuple[int, ...]) -> np.ndarray:
    """Soft bright dots in rows."""
    random, plane = np.random.default_rng(0), np.zeros(shape[:2])
    for row in np.arange(period / 2, shape[0], period):
        for column in np.arange(period / 2, shape[1], period):
            place = np.array([row, column]) + period * jitter * random.normal(size=2)
            plane[tuple(np.clip(place, 0, np.array(shape[:2]) - 1).astype(int))] = 1
    plane = ndimage.gaussian_filter(plane, period / 8)
    return 90 * (plane / np.percentile(plane, 99.5))[..., None]


@pytest.mark.parametrize("seed", range(3))
def test_pattern_of_a_natural_picture_is_nearly_none(seed: int) -> None:
    assert pattern(natural(seed), natural(10), natural(20)).fraction < 0.1


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("period", [2.2, 5.7, 16.0, 48.0])
def test_pattern_finds_a_hatch_with_its_period_and_channel(period: float, channel: int) -> None:
    photo = natural(1)
    woven = to_bytes(photo + hatch(period, 12, channel, photo.shape))
    found = pattern(woven, photo, natural(20))
    assert found.fraction > FAIL
    assert found.period == pytest.approx(period, rel=0.25 if period > 30 else 0.06)
    assert found.channel == ("luminance", "red-green", "blue-yellow")[channel]
    if period < 10:
        assert found.amplitude == pytest.approx(12, rel=0.35)


@pytest.mark.parametrize(("period", "jitter"), [(24, 0.0), (24, 0.1), (40, 0.1), (64, 0.1)])
def test_pattern_finds_stars_in_rows(period: int, jitter: float) -> None:
    photo = natural(1)
    found = pattern(to_bytes(0.7 * photo + stars(period, jitter, photo.shape)), photo, natural(20))
    assert found.fraction > FAIL


def test_pattern_of_the_photo_or_the_painting_does_not_count() -> None:
    photo = natural(1)
    woven = to_bytes(photo + hatch(5.7, 12, 1, photo.shape))
    assert pattern(woven, woven, natural(20)).fraction < 0.1
    assert pattern(woven, photo, to_bytes(natural(20) + hatch(5.7, 12, 1, photo.shape))).fraction < 0.1


def test_pattern_of_a_flat_or_small_picture_is_none() -> None:
    flat = np.full((96, 80, 3), 127, np.uint8)
    assert pattern(flat, flat, flat).fraction == 0
    assert pattern(flat, flat, flat).period == 0
