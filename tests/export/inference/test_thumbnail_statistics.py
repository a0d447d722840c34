"""Statistics from a thumbnail and patches, for the simplest statistics: those of the pixels themselves."""

from functools import cache

import numpy as np
import pytest

from impasto.export.inference import thumbnail_statistics
from impasto.export.onnx_graph.instance_norm import Statistics
from impasto.export.test_images import Pixels


def pixel_statistics(rgb: Pixels) -> Statistics:
    values = rgb.reshape(-1, 3).astype(np.float32)
    return [(values.mean(0), values.var(0))]


@cache
def spectrum(height: int, width: int) -> Pixels:
    """A horizontal ramp with noise: in a thumbnail only the ramp remains."""
    ramp = np.broadcast_to(np.linspace(50, 200, width)[None, :, None], (height, width, 3))
    return np.rint(ramp + np.random.default_rng(0).normal(0, 20, ramp.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.75, 0.5, 0.37])
def test_statistics_correct_the_variance_lost_in_the_thumbnail(scale: float) -> None:
    photo = spectrum(1500, 2001)
    pixels = photo.shape[0] * photo.shape[1] * scale**2
    sizes: list[tuple[int, ...]] = []

    def measure(rgb: Pixels) -> Statistics:
        sizes.append(rgb.shape)
        return pixel_statistics(rgb)

    ((mean, variance),) = thumbnail_statistics.statistics(photo, pixels, measure)
    ((true_mean, true_variance),) = pixel_statistics(photo)
    ((_, thumbnail_variance),) = pixel_statistics(thumbnail_statistics.reduce(photo, scale))
    assert np.abs(mean - true_mean).max() < 3
    # Not fully: noise is averaged where patches are blended.
    assert np.abs(variance / true_variance - 1).max() < 0.6 * np.abs(thumbnail_variance / true_variance - 1).min()
    assert sizes[0] == (int(1500 * scale + 0.5), int(2001 * scale + 0.5), 3) and len(sizes) == 3
    assert all(height * width <= 1.001 * pixels for height, width, _ in sizes)
    assert np.abs(np.array(sizes[2][:2]) - scale * np.array(sizes[1][:2])).max() <= 0.5


@pytest.mark.parametrize(("size", "pixels"), [((300, 400), 120_000), ((300, 400), 10_000), ((16, 9000), 1000)])
def test_statistics_with_too_few_patches_use_the_thumbnail_alone(size: tuple[int, int], pixels: int) -> None:
    measured: list[Pixels] = []

    def measure(rgb: Pixels) -> Statistics:
        measured.append(rgb)
        return pixel_statistics(rgb)

    thumbnail_statistics.statistics(spectrum(*size), pixels, measure)
    assert len(measured) == 1 and min(measured[0].shape[:2]) >= 16


def test_patch_mosaic_covers_the_picture_and_blends_patches() -> None:
    height, width = 1210, 1807
    y, x = np.indices((height, width))
    photo = np.stack([x // 8, y // 5, x % 8 + 8 * (y % 5)], axis=-1).astype(np.uint8)
    mosaic = thumbnail_statistics.patch_mosaic(photo, 700_000, 0.6)
    assert mosaic is not None and mosaic.shape == (5 * 128, 7 * 128, 3)
    for axis in (0, 1):
        values = np.unique(mosaic[..., axis])
        assert values.min() < 8 and values.max() > photo[..., axis].max() - 8 and len(values) > 0.6 * values.max()
    steps = np.diff(mosaic[..., 0].astype(int) * 8 + mosaic[..., 2] % 8, axis=1)
    columns, rows = np.arange(steps.shape[1]) % 128, np.arange(steps.shape[0]) % 128
    middle = steps[(rows >= 32) & (rows < 96)][:, (columns >= 32) & (columns < 95)]
    assert (middle == 1).all()  # the middle of a patch is the photo, unchanged
    flat = np.where((x // 40 + y // 40)[..., None] % 2, np.uint8(90), np.uint8(110)).repeat(3, axis=2)
    blended = thumbnail_statistics.patch_mosaic(flat, 700_000, 0.6)
    assert blended is not None and {*np.unique(blended)} == {*range(90, 111)}
    same = thumbnail_statistics.patch_mosaic(np.full((1210, 1807, 3), 77, np.uint8), 700_000, 0.6)
    assert same is not None and (same == 77).all()  # weights add up to one
