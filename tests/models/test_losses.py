import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from impasto.configs.schema import LossConfig
from impasto.models import vgg_weights
from impasto.models.losses import ContentLoss, PerceptualLoss, StyleLoss, TVLoss, gram_matrix

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


def test_gram_matrix() -> None:
    np.testing.assert_allclose(gram_matrix(torch.tensor(FEATURES)).numpy(), numpy_gram(FEATURES), rtol=1e-12)


@pytest.mark.parametrize("side", [32, 64])  # with and without the sum of parts
def test_gram_matrix_of_bf16_features_keeps_the_small_differences(side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = (torch.randn(2, 96, side, side, generator=generator) + 1).relu().to(torch.bfloat16)
    exact = numpy_gram(features.double().numpy())
    error = np.linalg.norm(gram_matrix(features).numpy() - exact) / np.linalg.norm(exact)
    assert error < 1e-3  # rounded to bf16 it would be 1.7e-3


@pytest.mark.parametrize(("form", "scale"), [("chw", 1 / FEATURES.size), ("gatys", 0.5 / 2)])
def test_content_loss(form: str, scale: float) -> None:
    value, gradient = value_and_gradient(ContentLoss(form), FEATURES, TARGET)
    difference = FEATURES - TARGET
    np.testing.assert_allclose(value, scale * (difference**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(gradient, 2 * scale * difference, rtol=1e-10)


def test_content_loss_of_equal_features_has_no_gradient() -> None:
    value, gradient = value_and_gradient(ContentLoss("chw"), FEATURES, FEATURES)
    assert value == 0
    assert not gradient.any()


def test_style_loss() -> None:
    value, gradient = value_and_gradient(StyleLoss(torch.tensor(STYLE), "chw"), FEATURES)
    n, c, h, w = FEATURES.shape
    difference = numpy_gram(FEATURES) - numpy_gram(STYLE)
    np.testing.assert_allclose(value, (difference**2).mean(), rtol=1e-10)
    rows = FEATURES.reshape(n, c, h * w)
    expected = 4 / (n * c * c * c * h * w) * np.einsum("nij,njp->nip", difference, rows)
    np.testing.assert_allclose(gradient, expected.reshape(FEATURES.shape), rtol=1e-8)


def test_style_loss_in_gatys_form() -> None:
    """Equation 4 of Gatys et al. 2016, letter by letter, where painting and photo have as many pixels."""
    photo, painting = FEATURES[:1], RANDOM.normal(2, 3, (1, 5, 4, 6))
    value, _ = value_and_gradient(StyleLoss(torch.tensor(painting), "gatys"), photo)
    channels, pixels = 5, 24
    gram, target = (x.reshape(channels, pixels) @ x.reshape(channels, pixels).T for x in (photo, painting))
    np.testing.assert_allclose(value, ((gram - target) ** 2).sum() / (4 * channels**2 * pixels**2), rtol=1e-10)


def test_tv_loss() -> None:
    value, gradient = value_and_gradient(TVLoss(), FEATURES)
    down, right = np.diff(FEATURES, axis=2), np.diff(FEATURES, axis=3)
    np.testing.assert_allclose(value, ((down**2).sum() + (right**2).sum()) / 2, rtol=1e-10)
    expected = np.zeros_like(FEATURES)
    expected[:, :, 1:] += down
    expected[:, :, :-1] -= down
    expected[..., 1:] += right
    expected[..., :-1] -= right
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-12)


CONFIG = LossConfig(
    content_layer="relu2_1",
    content_weight=2.0,
    style_layers=["relu1_2", "relu3_1"],
    style_layer_weights=[1.0, 0.5],
    style_weight=3.0,
    tv_weight=1e-3,
    gram="chw",
    weights="random",
)


def test_perceptual_loss_is_the_weighted_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    style, photos, pixels = (torch.rand(n, 3, 32, 40, generator=generator) * 255 for n in (1, 2, 2))
    loss = PerceptualLoss(CONFIG, vgg_weights.load("random"), style)
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


def test_the_painting_itself_has_no_style_loss_and_the_photo_no_content_loss() -> None:
    style = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    loss = PerceptualLoss(CONFIG, vgg_weights.load("random"), style)
    losses = loss(style, loss.content_target(style))
    assert losses.style == 0
    assert losses.content == 0


def test_bf16_is_close_to_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    style, photos, pixels = (torch.rand(1, 3, 64, 64, generator=generator) * 255 for _ in range(3))
    loss = PerceptualLoss(CONFIG, vgg_weights.load("random"), style)
    exact = loss(pixels, loss.content_target(photos))
    rounded = loss.to_precision(torch.bfloat16)(pixels, loss.content_target(photos))
    for name in ("total", "content", "style"):
        torch.testing.assert_close(getattr(rounded, name), getattr(exact, name), rtol=0.02, atol=0)
