import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.configs.schema.model import MAX_STRIDE, MODELS, STRIDE, ModelConfig
from impasto.models import checkpoint, network_blocks, transform_net, zoo
from impasto.models.network_blocks import InstanceNorm

DEEP = ModelConfig("mobile", 1.0, 3, 2)
STUDIO = ModelConfig("mobile", 1.0, 4, passes=3)


def config(name: str, width: float = 1.0) -> ModelConfig:
    return ModelConfig(name, width, {"johnson": 5, "mobile": 4, "tiny": 2}[name])


def build(name: str, width: float = 1.0) -> transform_net.TransformNet:
    torch.manual_seed(0)
    return transform_net.build(config(name, width))


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_builders_cover_every_model_of_the_schema() -> None:
    assert set(transform_net.BUILDERS) == set(MODELS)


def test_johnson_has_the_papers_parameter_count() -> None:
    # Others count 1,679,235, with a bias before each of the 15 instance norms, where it has no effect.
    assert parameters(build("johnson")) == 1_679_235 - (32 + 64 + 128 + 10 * 128 + 64 + 32)
    assert parameters(build("johnson", 0.5)) < 0.26 * parameters(build("johnson"))


def test_mobile_and_tiny_have_few_parameters() -> None:
    assert parameters(build("mobile")) <= 110_000
    assert parameters(build("tiny")) <= 9_000
    assert parameters(transform_net.build(STUDIO)) == parameters(build("mobile"))  # all passes have the same weights


def test_subpixel_at_initialization_has_no_checkerboard() -> None:
    """The four subpixels of each position are equal, as with nearest neighbors."""
    stylized = build("mobile").eval()(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255)
    cells = stylized.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    torch.testing.assert_close(cells, cells[..., :1].expand_as(cells), rtol=0, atol=1e-3)


class _Middle(torch.nn.Identity):
    """The identity without the border; it keeps its input."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self.seen = input
        return input[..., 4:-4, 4:-4]


def test_network_gets_the_photo_with_a_border_that_mirrors_it() -> None:
    pixels = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 255
    body = _Middle()
    stylized = transform_net.TransformNet(body)(pixels)
    mirrored = torch.from_numpy(np.pad(pixels.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect"))
    torch.testing.assert_close(body.seen, (mirrored - 127.5) / 128)
    torch.testing.assert_close(stylized, 255 * torch.sigmoid((pixels - 127.5) / 128))


def test_network_whose_body_keeps_the_border_raises() -> None:
    network = transform_net.TransformNet(torch.nn.Conv2d(3, 3, 3, padding=1))
    with pytest.raises(ValueError, match=r"leave out 4 px at each side, but from \[1, 3, 24, 32\] it made \[1, 3, 24"):
        network(torch.zeros(1, 3, 16, 24))


@pytest.mark.parametrize("painting", ["starry_night", "the_scream"])
def test_strokes_of_a_trained_network_are_as_strong_at_the_border(painting: str) -> None:
    network, _ = checkpoint.load(zoo.resolve(f"zoo/{painting}", checkpoint.SUFFIX))
    with torch.no_grad():
        pixels = network.eval()(torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(0)) * 255)
    fine = pixels - F.avg_pool2d(F.pad(pixels, (4, 4, 4, 4), mode="reflect"), 9, 1)
    sides = torch.stack([fine.rot90(turns, (2, 3))[..., :64, 32:96] for turns in range(4)])
    border, inner = (sides[..., rows, :].std((3, 4)).mean() for rows in (slice(4), slice(32, 64)))
    assert border > 0.75 * inner  # 0.61 and 0.68 without the mirrored photo around it


def test_recurrent_applies_one_block_several_times() -> None:
    block = network_blocks.Residual(4).eval()
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(network_blocks.Recurrent(block, 3)(x), block(block(block(x))))
    assert parameters(network_blocks.Recurrent(block, 3)) == parameters(block)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (64, 48), (30, 101)])
def test_stylize_any_size_is_bounded(name: str, size: tuple[int, int]) -> None:
    network = build(name, 0.25).eval()
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        stylized = transform_net.stylize(network, pixels)
        wild = transform_net.stylize(network, 1e4 * (pixels - 128))
    assert stylized.shape == pixels.shape
    assert stylized.std() > 1
    for picture in (stylized, wild):
        assert picture.min() >= 0
        assert picture.max() <= 255


@pytest.mark.parametrize("name", MODELS)
def test_network_on_flat_photo_is_finite(name: str) -> None:
    network = build(name, 0.25).train()
    for level in (0.0, 255.0):
        pixels = torch.full((1, 3, 32, 32), level, requires_grad=True)
        stylized = network(pixels)
        stylized.sum().backward()
        assert stylized.isfinite().all()
        assert pixels.grad is not None
        assert pixels.grad.isfinite().all()


def test_instance_norm_in_training_equals_evaluation() -> None:
    norm = InstanceNorm(5)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    x = torch.randn(3, 5, 9, 7)
    twin = copy.deepcopy(norm).eval()
    first, second = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.randn_like(x)
    (norm.train()(first) * weight).sum().backward()
    (twin(second) * weight).sum().backward()
    torch.testing.assert_close(norm(x), twin(x))
    torch.testing.assert_close(first.grad, second.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.weight.grad, twin.weight.grad, rtol=1e-4, atol=1e-5)
    assert norm.eps == 1e-4


def test_network_on_batch_normalizes_each_photo_alone() -> None:
    network = build("mobile", 0.5).train()
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        torch.testing.assert_close(network(pixels)[:1], network(pixels[:1]), rtol=1e-4, atol=1e-2)


def test_eighth_blocks_start_as_the_identity_and_then_see_farther() -> None:
    torch.manual_seed(0)
    network = transform_net.build(DEEP).eval()
    [eighth] = [module for module in network.modules() if isinstance(module, network_blocks.Eighth)]
    features = torch.rand(1, 32, 24, 24)
    assert torch.equal(eighth(features), features)
    norm = eighth.body[3]
    assert isinstance(norm, InstanceNorm)
    torch.nn.init.ones_(norm.weight)
    assert not torch.equal(eighth(features), features)


def test_stride_pads_to_the_coarsest_features() -> None:
    assert transform_net.build(DEEP).stride == MAX_STRIDE == 8
    assert parameters(transform_net.build(DEEP)) == 126_524
    assert build("tiny").stride == build("mobile").stride == build("johnson").stride == STRIDE == 4
    assert transform_net.build(STUDIO).stride == 32
    assert transform_net.build(replace(STUDIO, passes=2)).stride == 16
    assert transform_net.build(replace(DEEP, passes=4)).stride == 128
    pixels = torch.rand(1, 3, 17, 24)
    assert transform_net.pad(pixels, 8).shape == (1, 3, 24, 24)
    assert transform_net.pad(pixels, 4).shape == (1, 3, 20, 24)
    assert torch.equal(transform_net.pad(pixels, 8)[:, :, 17:], pixels[:, :, 16:].expand(1, 3, 7, 24))
