import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from impasto.configs.cli import app
from impasto.configs.schema.loss import LossConfig
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.terms import ContentLoss, StyleLoss, TVLoss, gram_matrix
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures

Array = NDArray[np.float64]
RANDOM = np.random.default_rng(0)
FEATURES, TARGET, STYLE = (RANDOM.normal(2, 3, shape) for shape in [(2, 5, 4, 6), (2, 5, 4, 6), (1, 5, 7, 3)])


def value_and_gradient(loss: torch.nn.Module, features: Array, *targets: Array) -> tuple[float, Array]:
    x = torch.tensor(features, requires_grad=True)
    value = loss(x, *(torch.tensor(target) for target in targets))
    value.backward()
    assert x.grad is not None
    return value.item(), x.grad.numpy()


def numpy_gram(features: Array) -> Array:
    n, c, h, w = features.shape
    rows = features.reshape(n, c, h * w)
    return np.einsum("nip,njp->nij", rows, rows) / (c * h * w)


def test_gram_matrix_equals_numpy() -> None:
    np.testing.assert_allclose(gram_matrix(torch.tensor(FEATURES)).numpy(), numpy_gram(FEATURES), rtol=1e-12)


@pytest.mark.parametrize("side", [32, 64])  # with and without the sum over parts
def test_gram_matrix_in_bf16_is_accurate(side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = (torch.randn(2, 96, side, side, generator=generator) + 1).relu().to(torch.bfloat16)
    exact = numpy_gram(features.double().numpy())
    error = np.linalg.norm(gram_matrix(features).numpy() - exact) / np.linalg.norm(exact)
    assert error < 1e-3  # rounded to bf16 it would be 1.7e-3


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_gram_matrix_gradient_equals_autograd(dtype: torch.dtype, error: float) -> None:
    generator = torch.Generator().manual_seed(0)
    features = (torch.randn(2, 8, 48, 48, generator=generator) + 1).relu().to(dtype)
    slope = torch.randn(2, 8, 8, generator=generator)  # not symmetric
    rows = features.double().flatten(2).requires_grad_()
    (expected,) = torch.autograd.grad((rows @ rows.transpose(1, 2) / rows[0].numel() * slope).sum(), rows)
    (actual,) = torch.autograd.grad((gram_matrix(features.requires_grad_()) * slope).sum(), features)
    assert (actual.flatten(2) - expected).norm() < error * expected.norm()


@pytest.mark.parametrize(("form", "scale"), [("chw", 1 / FEATURES.size), ("gatys", 0.5 / 2)])
def test_content_loss_and_gradient_equal_numpy(form: str, scale: float) -> None:
    value, gradient = value_and_gradient(ContentLoss(form), FEATURES, TARGET)
    difference = FEATURES - TARGET
    np.testing.assert_allclose(value, scale * (difference**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(gradient, 2 * scale * difference, rtol=1e-10)


def test_content_loss_of_equal_features_has_zero_gradient() -> None:
    value, gradient = value_and_gradient(ContentLoss("chw"), FEATURES, FEATURES)
    assert value == 0
    assert not gradient.any()


def test_style_loss_and_gradient_equal_numpy() -> None:
    value, gradient = value_and_gradient(StyleLoss(torch.tensor(STYLE), "chw"), FEATURES)
    n, c, h, w = FEATURES.shape
    difference = numpy_gram(FEATURES) - numpy_gram(STYLE)
    np.testing.assert_allclose(value, (difference**2).mean(), rtol=1e-10)
    rows = FEATURES.reshape(n, c, h * w)
    expected = 4 / (n * c * c * c * h * w) * np.einsum("nij,njp->nip", difference, rows)
    np.testing.assert_allclose(gradient, expected.reshape(FEATURES.shape), rtol=1e-8)


def test_style_loss_in_gatys_form_equals_equation_4() -> None:
    """Equation 4 of Gatys et al. 2016 verbatim, for a style image and a photo of one size."""
    photo, style_image = FEATURES[:1], RANDOM.normal(2, 3, (1, 5, 4, 6))
    value, _ = value_and_gradient(StyleLoss(torch.tensor(style_image), "gatys"), photo)
    channels, pixels = 5, 24
    gram, target = (x.reshape(channels, pixels) @ x.reshape(channels, pixels).T for x in (photo, style_image))
    np.testing.assert_allclose(value, ((gram - target) ** 2).sum() / (4 * channels**2 * pixels**2), rtol=1e-10)


def test_tv_loss_and_gradient_equal_numpy() -> None:
    value, gradient = value_and_gradient(TVLoss(), FEATURES)
    down, right = np.diff(FEATURES, axis=2), np.diff(FEATURES, axis=3)
    np.testing.assert_allclose(value, ((down**2).sum() + (right**2).sum()) / 2, rtol=1e-10)
    expected = np.zeros_like(FEATURES)
    expected[:, :, 1:] += down
    expected[:, :, :-1] -= down
    expected[..., 1:] += right
    expected[..., :-1] -= right
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-12)


@cache
def vgg_random() -> Weights:
    return vgg_weights.load("random")


CONFIG = LossConfig(
    content_layer="relu2_1",
    content_weight=2.0,
    style_layers=["relu1_2", "relu3_1"],
    style_layer_weights=[1.0, 0.5],
    style_weight=3.0,
    style_strength=None,
    tv_weight=1e-3,
    normalization="chw",
    network="vgg16",
    pooling="max",
    checkerboard_weight=0.0,
    temporal_weight=0.0,
    tv_power=2,
    weights="random",
)


def test_perceptual_loss_equals_the_weighted_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    style, photos, pixels = (torch.rand(n, 3, 32, 40, generator=generator) * 255 for n in (1, 2, 2))
    loss = PerceptualLoss(CONFIG, vgg_random(), style)
    losses = loss(pixels, loss.content_target(photos))
    features, photo_features, style_features = (loss.vgg(x) | {} for x in (pixels, photos, style))
    content = (features["relu2_1"] - photo_features["relu2_1"]).square().mean()
    torch.testing.assert_close(losses.content, 2 * content)
    grams = [
        weight * (gram_matrix(features[layer]) - gram_matrix(style_features[layer])).square().mean()
        for layer, weight in (("relu1_2", 1.0), ("relu3_1", 0.5))
    ]
    torch.testing.assert_close(losses.style, 3 * (grams[0] + grams[1]))
    torch.testing.assert_close(losses.tv, 1e-3 * TVLoss()(pixels))
    torch.testing.assert_close(losses.total, losses.content + losses.style + losses.tv)


def test_perceptual_loss_of_the_style_image_itself_is_zero() -> None:
    style = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    loss = PerceptualLoss(CONFIG, vgg_random(), style)
    losses = loss(style, loss.content_target(style))
    assert losses.style == 0
    assert losses.content == 0


def test_perceptual_loss_term_with_weight_zero_is_not_computed() -> None:
    """Not even where it would be infinite: infinity times zero is NaN."""
    style, pixels = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(i)) * 255 for i in (0, 1))
    weights = vgg_random()
    only_style = PerceptualLoss(dataclasses.replace(CONFIG, content_weight=0.0, tv_weight=0.0), weights, style)
    losses = only_style(pixels, torch.full_like(only_style.content_target(pixels), torch.inf))
    assert losses.total == losses.style > 0 and losses.content == 0
    only_content = PerceptualLoss(dataclasses.replace(CONFIG, style_weight=0.0, tv_weight=0.0), weights, style)
    for style_loss in only_content.style_losses("relu1_2", 1):
        style_loss.get_buffer("target").fill_(torch.inf)
    losses = only_content(pixels, only_content.content_target(style))
    assert losses.total == losses.content > 0 and losses.style == 0


def test_perceptual_loss_in_bf16_is_close_to_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    style, photos, pixels = (torch.rand(1, 3, 64, 64, generator=generator) * 255 for _ in range(3))
    loss = PerceptualLoss(CONFIG, vgg_random(), style)
    exact = loss(pixels, loss.content_target(photos))
    rounded = loss.to_precision(torch.bfloat16)(pixels, loss.content_target(photos))
    for name in ("total", "content", "style"):
        torch.testing.assert_close(getattr(rounded, name), getattr(exact, name), rtol=0.02, atol=0)


def test_tv_loss_with_power_equals_numpy() -> None:
    value, gradient = value_and_gradient(TVLoss(1.25), FEATURES)
    down, right = np.diff(FEATURES, axis=2)[..., :-1], np.diff(FEATURES, axis=3)[:, :, :-1]
    np.testing.assert_allclose(value, ((down**2 + right**2) ** 1.25).sum() / 2, rtol=1e-10)
    assert np.isfinite(gradient).all()
    flat, slope = value_and_gradient(TVLoss(1.25), np.full((1, 3, 4, 4), 7.0))
    assert flat == 0 and not slope.any()


def test_perceptual_loss_with_blend_weighs_style_images() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second, photo = (torch.rand(1, 3, 32, 40, generator=generator) * 255 for _ in range(3))
    weights = vgg_random()
    one, other = (PerceptualLoss(CONFIG, weights, style_image) for style_image in (first, second))
    blend = PerceptualLoss(CONFIG, weights, [first, second], [1, 3])
    target = one.content_target(photo)
    expected = 0.25 * one(photo, target).style + 0.75 * other(photo, target).style
    torch.testing.assert_close(blend(photo, target).style, expected)


def test_perceptual_loss_with_masks_restricts_style_images_to_regions() -> None:
    """Each half of the picture equals one style image: the loss is low with masks, and high with swapped masks."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(1, 3, 1, 1, generator=generator).expand(1, 3, 64, 64) * 255 for _ in range(2))
    picture = torch.cat([first, second], 3)
    left = torch.zeros(1, 1, 64, 128)
    left[..., :48] = 1  # away from the seam
    right = left.flip(3)
    weights = vgg_random()
    shallow = dataclasses.replace(CONFIG, style_layers=["conv1_1"], style_layer_weights=None)
    losses = [
        PerceptualLoss(shallow, weights, [first, second], None, torch.cat(masks))(picture, torch.zeros(1)).style.item()
        for masks in ((left, right), (right, left))
    ]
    assert losses[0] < 0.05 * losses[1]
    plain = PerceptualLoss(shallow, weights, [first])
    whole = PerceptualLoss(shallow, weights, [first], None, torch.ones(1, 1, 64, 128))
    assert whole(picture, torch.zeros(1)).style.item() == pytest.approx(plain(picture, torch.zeros(1)).style.item())
    black = PerceptualLoss(shallow, weights, [first], None, torch.zeros(1, 1, 64, 128))
    assert black(picture, torch.zeros(1)).style.isfinite()


def test_gram_matrix_with_guide_equals_that_of_the_region() -> None:
    guide = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    guide[:, :, :, :2] = 1
    expected = numpy_gram(FEATURES[..., :2])
    np.testing.assert_allclose(gram_matrix(torch.tensor(FEATURES), guide).numpy(), expected, rtol=1e-12)


def test_gatys_preset_uses_average_pooling() -> None:
    assert app.compose("optimize", ["content=x", "loss=gatys2016"]).loss.pooling == "average"
    vgg = VGGFeatures(["pool1"], vgg_random(), pooling="average")
    x = torch.rand(1, 3, 8, 8) * 255
    relu = VGGFeatures(["relu1_2"], vgg_random())(x)["relu1_2"]
    torch.testing.assert_close(vgg(x)["pool1"], torch.nn.functional.avg_pool2d(relu, 2))


def test_loss_preset_of_train_and_optimize_is_equal() -> None:
    for name in ("johnson", "strokes"):
        train, optimize = (["data.root=x", f"loss={name}"], ["content=x", f"loss={name}"])
        assert app.compose("train", train).loss == app.compose("optimize", optimize).loss
