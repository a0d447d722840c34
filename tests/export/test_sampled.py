"""Statistics from a small copy and pieces, with a measure that is as simple as can be: of the pixels themselves."""

from functools import cache

import numpy as np
import pytest

from impasto.export import sampled
from impasto.export.golden import Pixels
from impasto.export.norms import Statistics


def plain(rgb: Pixels) -> Statistics:
    values = rgb.reshape(-1, 3).astype(np.float32)
    return [(values.mean(0), values.var(0))]


@cache
def grain(height: int, width: int) -> Pixels:
    """A ramp from left to right with noise on it: of both only the ramp survives in a small copy."""
    ramp = np.broadcast_to(np.linspace(50, 200, width)[None, :, None], (height, width, 3))
    return np.rint(ramp + np.random.default_rng(0).normal(0, 20, ramp.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [0.75, 0.5, 0.37])
def test_pieces_put_right_what_a_copy_lacks(scale: float) -> None:
    photo = grain(1500, 2001)
    pixels = photo.shape[0] * photo.shape[1] * scale**2
    sizes: list[tuple[int, ...]] = []

    def measure(rgb: Pixels) -> Statistics:
        sizes.append(rgb.shape)
        return plain(rgb)

    ((mean, variance),) = sampled.statistics(photo, pixels, measure)
    ((true_mean, true_variance),) = plain(photo)
    ((_, copys),) = plain(sampled.reduced(photo, scale))
    assert np.abs(mean - true_mean).max() < 3
    # Not all: where pieces fade into each other, noise is averaged.
    assert np.abs(variance / true_variance - 1).max() < 0.6 * np.abs(copys / true_variance - 1).min()
    assert sizes[0] == (int(1500 * scale + 0.5), int(2001 * scale + 0.5), 3) and len(sizes) == 3
    assert all(height * width <= 1.001 * pixels for height, width, _ in sizes)
    assert np.abs(np.array(sizes[2][:2]) - scale * np.array(sizes[1][:2])).max() <= 0.5


@pytest.mark.parametrize(("size", "pixels"), [((300, 400), 120_000), ((300, 400), 10_000), ((16, 9000), 1000)])
def test_what_is_small_is_measured_whole_and_few_pieces_count_nothing(size: tuple[int, int], pixels: int) -> None:
    seen: list[Pixels] = []

    def measure(rgb: Pixels) -> Statistics:
        seen.append(rgb)
        return plain(rgb)

    sampled.statistics(grain(*size), pixels, measure)
    assert len(seen) == 1 and min(seen[0].shape[:2]) >= 16


def test_pieces_come_from_all_over_and_fade() -> None:
    height, width = 1210, 1807
    y, x = np.indices((height, width))
    photo = np.stack([x // 8, y // 5, x % 8 + 8 * (y % 5)], axis=-1).astype(np.uint8)
    made = sampled.pieces(photo, 700_000, 0.6)
    assert made is not None and made.shape == (5 * 128, 7 * 128, 3)
    for axis in (0, 1):
        found = np.unique(made[..., axis])
        assert found.min() < 8 and found.max() > photo[..., axis].max() - 8 and len(found) > 0.6 * found.max()
    steps = np.diff(made[..., 0].astype(int) * 8 + made[..., 2] % 8, axis=1)
    places, rows = np.arange(steps.shape[1]) % 128, np.arange(steps.shape[0]) % 128
    middle = steps[(rows >= 32) & (rows < 96)][:, (places >= 32) & (places < 95)]
    assert (middle == 1).all()  # in the middle of a piece the photo as it is
    flat = np.where((x // 40 + y // 40)[..., None] % 2, np.uint8(90), np.uint8(110)).repeat(3, axis=2)
    faded = sampled.pieces(flat, 700_000, 0.6)
    assert faded is not None and {*np.unique(faded)} == {*range(90, 111)}
    same = sampled.pieces(np.full((1210, 1807, 3), 77, np.uint8), 700_000, 0.6)
    assert same is not None and (same == 77).all()  # weights add up to one
