"""The style_weight of a strength: its scaling, its constant, and photos that it cannot be measured on."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.schema.loss import LossConfig
from impasto.models.losses import style_strength
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.models.vgg.constants import Weights

ABSOLUTE = ["johnson", "gatys2016", "keras-notebook"]
FORMS = [*ABSOLUTE, "strokes"]
Measure = Callable[..., float]


def picture(seed: int, height: int = 48, width: int = 48) -> Tensor:
    """Smooth blobs [1, 3, H, W], 0..255."""
    small = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 255)


PAINTING, PHOTO = picture(0), picture(1)


@cache
def preset(form: str) -> LossConfig:
    lines = ["content=x", f"loss={form}", "loss.weights=random", "loss.style_strength=1"]
    composed = app.compose("optimize", lines).loss
    assert isinstance(composed, LossConfig)
    return composed


def config(form: str, **changes: object) -> LossConfig:
    return replace(preset(form), **changes)  # type: ignore[arg-type]


@cache
def vgg() -> Weights:
    return weights.load("random")


def measured(
    settings: LossConfig, painting: Tensor = PAINTING, photos: tuple[Tensor, ...] = (PHOTO,), side: int = 1024
) -> float:
    loss = PerceptualLoss(settings, vgg(), painting)
    weight = style_strength.style_weight(loss, photos, side)
    assert loss.config == settings  # unchanged
    return weight


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_style_weight_scales_with_strength_and_content_weight(form: str) -> None:
    one = measured(config(form))
    assert one > 0
    assert measured(config(form, style_strength=2.5)) == pytest.approx(2.5 * one)
    assert measured(config(form, style_strength=0.0)) == 0
    twice = config(form, content_weight=2 * config(form).content_weight)
    assert measured(twice) == pytest.approx(2 * one)
    for style_weight in (0.0, 123.0):  # the raw weight has no effect
        assert measured(config(form, style_weight=style_weight)) == pytest.approx(one)


@pytest.mark.parametrize("form", FORMS)
def test_style_weight_relates_style_loss_to_content_energy(form: str) -> None:
    settings = config(form, style_strength=0.5)
    loss = PerceptualLoss(settings, vgg(), PAINTING)
    loss.config = replace(settings, style_weight=measured(settings))
    target = loss.content_target(PHOTO)
    energy = style_strength.energy(loss, target)
    assert 0 < energy < loss.content(target, torch.zeros_like(target))  # without the features' means
    unit = style_strength.UNITS[settings.normalization]
    expected = 0.5 * unit * settings.content_weight * energy
    torch.testing.assert_close(loss(PHOTO, target).style, expected, rtol=1e-4, atol=0)


def test_style_weight_is_measured_on_whole_photos_where_training_sees_a_window() -> None:
    loss = PerceptualLoss(config("strokes"), vgg(), PAINTING)
    loss.window = 32
    weight = style_strength.style_weight(loss, [PHOTO], 1024)
    assert loss.window == 32
    assert weight == pytest.approx(measured(config("strokes")))


@pytest.mark.slow
@pytest.mark.parametrize("form", ABSOLUTE)  # relative errors divide by the painting's contrast already
def test_style_weight_for_more_contrast_is_smaller(form: str) -> None:
    soft, hard = ((PAINTING - 127) * contrast + 127 for contrast in (1, 2))
    assert measured(config(form), hard) < 0.7 * measured(config(form), soft)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_style_weight_with_one_outlier_photo_stays_in_range(form: str) -> None:
    photos = tuple(picture(seed) for seed in range(1, 6))
    magenta = torch.tensor([255.0, 0.0, 255.0]).view(1, 3, 1, 1).expand(1, 3, 48, 48)
    low, high = sorted(measured(config(form), photos=(photo,)) for photo in photos)[:: len(photos) - 1]
    assert low <= measured(config(form), photos=photos) <= high
    assert low <= measured(config(form), photos=(*photos, magenta)) <= high


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_style_weight_in_tiles_is_equal(form: str) -> None:
    photo = picture(1, 40, 380)
    whole, tiled = (measured(config(form), photos=(photo,), side=side) for side in (1024, 160))
    assert tiled == pytest.approx(whole, rel=1e-3)


DEGENERATE = {
    "flat": torch.full((1, 3, 48, 48), 127.0),
    "black": torch.zeros(1, 3, 48, 48),
    "white": torch.full((1, 3, 48, 48), 255.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("photo", DEGENERATE)
def test_style_weight_for_flat_pictures_is_finite(photo: str, form: str) -> None:
    for painting, pixels in ((PAINTING, DEGENERATE[photo]), (DEGENERATE[photo], PHOTO)):
        assert 0 < measured(config(form), painting, (pixels,)) < float("inf")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "painting", "photo", "words"),
    [
        ({}, PAINTING, PAINTING, "the photo is the painting"),
        ({"content_layer": "conv1_1"}, PAINTING, torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1), "flat"),
        ({"style_strength": 1e308}, PAINTING, PHOTO, "infinite style_weight"),
    ],
)
def test_style_weight_that_cannot_be_measured_raises_one_sentence(
    changes: dict[str, object], painting: Tensor, photo: Tensor, words: str
) -> None:
    settings = config("johnson", **changes)
    with pytest.raises(UsageError, match=words) as error:
        measured(settings, painting, (photo.expand(1, 3, 48, 48),))
    assert "give loss.style_weight" in str(error.value) and "\n" not in str(error.value)


def test_style_strength_with_content_weight_zero_is_refused() -> None:
    with pytest.raises(UsageError, match=r"loss\.style_strength .*loss\.content_weight=0; give loss\.style_weight"):
        app.compose("optimize", ["content=x", "loss.style_strength=1", "loss.content_weight=0"])
