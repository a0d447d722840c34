"""The relative normalization and the scales of the perceptual loss, against NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto.configs.schema.loss import LossConfig
from impasto.models.losses.perceptual import PerceptualLoss, downscale
from impasto.models.losses.terms import ContentLoss, StyleLoss
from impasto.models.vgg import weights

CONFIG = LossConfig(
    network="vgg16",
    weights="random",
    pooling="max",
    content_layer="relu2_2",
    content_weight=2.0,
    style_layers=["relu1_2", "relu3_3"],
    style_layer_weights=[1.0, 0.5],
    style_weight=3.0,
    normalization="relative",
    tv_weight=0.0,
    tv_power=2,
    content_scale=2,
    style_scales=[1, 4],
)


def picture(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    return 255 * torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def gram(features: np.ndarray) -> np.ndarray:
    rows = features.reshape(len(features), -1)
    return rows @ rows.T / rows.shape[1]


def test_relative_terms_equal_numpy() -> None:
    random = np.random.default_rng(0)
    features, target = random.normal(size=(2, 2, 5, 4, 6))
    content = ContentLoss("relative")(torch.from_numpy(features), torch.from_numpy(target))
    expected = [((a - b) ** 2).sum() / (b**2).sum() for a, b in zip(features, target, strict=True)]
    assert content.item() == pytest.approx(np.mean(expected))
    style = StyleLoss(torch.from_numpy(target[:1]), "relative")(torch.from_numpy(features))
    painting = gram(target[0])
    expected = [((gram(one) - painting) ** 2).sum() / (painting**2).sum() for one in features]
    assert style.item() == pytest.approx(np.mean(expected))


def test_relative_terms_of_zeros_are_one() -> None:
    target = torch.rand(1, 4, 6, 6)
    assert ContentLoss("relative")(torch.zeros_like(target), target).item() == pytest.approx(1)
    assert StyleLoss(target, "relative")(torch.zeros_like(target)).item() == pytest.approx(1)


def test_scales_equal_the_sum_of_single_scales() -> None:
    vgg, painting, photo, stylized = weights.load("random"), picture(0), picture(1), picture(2)
    loss = PerceptualLoss(CONFIG, vgg, painting)
    losses = loss(stylized, loss.content_target(photo))
    single = replace(CONFIG, content_scale=1, style_scales=[1])
    style = 0.0
    for scale in CONFIG.style_scales:
        one = PerceptualLoss(replace(single, content_weight=0.0), vgg, downscale(painting, scale))
        style += one(downscale(stylized, scale), torch.zeros(1)).style.item() / len(CONFIG.style_scales)
    one = PerceptualLoss(replace(single, style_weight=0.0), vgg, painting)
    content = one(downscale(stylized, 2), one.content_target(downscale(photo, 2))).content.item()
    assert losses.style.item() == pytest.approx(style, rel=1e-5)
    assert losses.content.item() == pytest.approx(content, rel=1e-5)
    assert losses.total.item() == pytest.approx(style + content, rel=1e-5)


def test_scales_painting_has_no_style_loss_and_photo_no_content_loss() -> None:
    painting, photo = picture(0), picture(1)
    loss = PerceptualLoss(CONFIG, weights.load("random"), painting)
    assert loss(painting, loss.content_target(photo)).style.item() == pytest.approx(0, abs=1e-6)
    assert loss(photo, loss.content_target(photo)).content.item() == pytest.approx(0, abs=1e-6)


def test_downscale_averages_squares_and_drops_a_remainder() -> None:
    pixels = picture(3, 9, 10)
    small = downscale(pixels, 4)
    assert small.shape == (1, 3, 2, 2)
    assert small[0, 0, 1, 1].item() == pytest.approx(pixels[0, 0, 4:8, 4:8].mean().item(), rel=1e-5)
    assert downscale(pixels, 1) is pixels


def test_scales_of_a_weightless_term_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = PerceptualLoss(replace(CONFIG, content_weight=0.0), weights.load("random"), picture(0))
    shapes: list[int] = []
    forward = loss.vgg.forward

    def record(pixels: torch.Tensor, layers: list[str]) -> dict[str, torch.Tensor]:
        shapes.append(pixels.shape[2])
        return forward(pixels, layers)

    monkeypatch.setattr(loss.vgg, "forward", record)
    loss(picture(2), torch.zeros(1))
    assert shapes == [64, 16]  # not the content's scale of 2


def test_perceptual_loss_with_a_window_is_that_of_the_middle() -> None:
    config = replace(CONFIG, content_scale=1, style_scales=[1])
    loss = PerceptualLoss(config, weights.load("random"), picture(0))
    photo, stylized = picture(1), picture(2)
    middle = [image[..., 16:48, 32:64] for image in (stylized, photo)]
    expected = loss(middle[0], loss.content_target(middle[1]))
    loss.window = 32
    assert loss(stylized, loss.content_target(photo)).total.item() == pytest.approx(expected.total.item())
    loss.window = 128
    whole = loss(stylized, loss.content_target(photo)).total.item()
    loss.window = None
    assert loss(stylized, loss.content_target(photo)).total.item() == whole != expected.total.item()
