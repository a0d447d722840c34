import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.configs.schema.model import ModelConfig
from impasto.models import checkpoint, coarse_to_fine, transform_net, zoo


def enlarged(x: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear, with half-pixel centers and the border repeated."""
    for axis in (0, 1):
        at = np.clip((np.arange(factor * x.shape[axis]) + 0.5) / factor - 0.5, 0, x.shape[axis] - 1)
        x = np.apply_along_axis(lambda row: np.interp(at, np.arange(len(row)), row), axis, x)  # noqa: B023
    return x


def around(x: np.ndarray, side: int, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """A statistic of the square around each value, of those within the picture."""
    padded = np.pad(x, side // 2, constant_values=np.nan)
    return reduce(np.lib.stride_tricks.sliding_window_view(padded, (side, side)), (2, 3))


def mean(x: np.ndarray, side: int) -> np.ndarray:
    return x.reshape(x.shape[0] // side, side, x.shape[1] // side, side).mean((1, 3))


def painted(x: np.ndarray, passes: int) -> np.ndarray:
    """The formula, for a network that inverts a photo."""
    if passes > 1:
        half = mean(x, 2)
        squared = mean(np.abs(x - enlarged(half, 2)), 16) ** 2
        detail = around(around(squared, 5, np.nanmax), 3, np.nanmean)
        nearby = around(squared, 9, np.nanmax)
        share = 0.6 * nearby / (nearby + 0.02**2) / (1 + detail / 2**2)
        change = painted(half, passes - 1) - half
        strokes = change - enlarged(around(mean(change, 8), 5, np.nanmean), 8)
        x = x + enlarged(enlarged(np.maximum(0, share - 0.001), 8) * strokes, 2)
    return 255 - x


def negative(pixels: Tensor) -> Tensor:
    return 255 - pixels


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_stylize_matches_numpy(passes: int) -> None:
    random = np.random.default_rng(0)
    photo = random.uniform(0, 255, (1, 1, 4, 6)).repeat(16, 2).repeat(16, 3)  # flat squares, some with noise
    photo[..., :32, :] += random.normal(0, 3, (1, 1, 32, 96))
    stylized = coarse_to_fine.stylize(negative, torch.from_numpy(photo), passes)
    np.testing.assert_allclose(stylized[0, 0].numpy(), painted(photo[0, 0], passes), atol=1e-9)


def test_share_is_large_where_a_photo_is_plain_and_small_where_it_has_detail() -> None:
    photo = torch.full((1, 3, 160, 64), 90.0)
    photo[..., 128:, 1::2] = 120
    share = coarse_to_fine.share(photo, torch.nn.functional.avg_pool2d(photo, 2))
    assert share.shape == (1, 3, 80, 32)
    assert share[..., 72:, :].max() < 0.02
    # Near the detail the flat part gets strokes, farther away it does not.
    assert share[..., 35, :].min() > 0.95 * coarse_to_fine.SHARE and share.max() <= coarse_to_fine.SHARE
    assert (share[..., :20, :] == 0).all()


@pytest.mark.parametrize("level", [0.0, 128.0, 255.0])
def test_photo_of_one_color_gives_one_color(level: float) -> None:
    network, _ = checkpoint.load(zoo.resolve("zoo/the_scream/studio", checkpoint.SUFFIX))
    with torch.no_grad():
        stylized = network.eval()(torch.full((1, 3, 192, 256), level))
    assert (stylized - stylized[..., :1, :1]).abs().max() < 0.5


def test_network_in_passes_has_larger_strokes_on_a_plain_surface() -> None:
    several, _ = checkpoint.load(zoo.resolve("zoo/composition_vii/studio", checkpoint.SUFFIX))
    several.eval()
    one = copy.deepcopy(several)
    one.passes = 1
    noise = torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        coarse = [torch.nn.functional.avg_pool2d(network(128 + noise), 8).std() for network in (one, several)]
    assert coarse[1] > 1.1 * coarse[0]


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (131, 70)])
def test_network_in_passes_takes_any_size(size: tuple[int, int]) -> None:
    network = transform_net.build(ModelConfig("mobile", 0.25, 1, 1, passes=4)).eval()
    pixels = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        stylized = transform_net.stylize(network, pixels)
    assert stylized.shape == pixels.shape and stylized.min() >= 0 and stylized.max() <= 255


def test_network_in_passes_on_a_flat_photo_has_a_gradient() -> None:
    network = transform_net.build(ModelConfig("mobile", 0.25, 1, passes=3)).train()
    pixels = torch.full((1, 3, 64, 64), 255.0, requires_grad=True)
    stylized = network(pixels)
    stylized.sum().backward()
    assert stylized.isfinite().all() and pixels.grad is not None and pixels.grad.isfinite().all()
