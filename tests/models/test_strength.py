"""What raw style_weight a strength stands for: its scale laws, its constant, and photos that nothing can be told by."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from impasto.configs import app
from impasto.configs.errors import RequestError
from impasto.configs.schema import LossConfig
from impasto.models import strength, vgg_weights
from impasto.models.losses import PerceptualLoss

FORMS = ["johnson", "gatys2016", "keras-notebook"]
Measure = Callable[..., float]


def picture(seed: int, height: int = 48, width: int = 48) -> Tensor:
    """Smooth blobs [1, 3, H, W], 0..255."""
    small = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 255)


PAINTING, PHOTO = picture(0), picture(1)


def config(form: str, **changes: object) -> LossConfig:
    lines = ["content=x", f"loss={form}", "loss.weights=random", "loss.strength=1"]
    composed = app.compose("optimize", lines).loss
    assert isinstance(composed, LossConfig)
    return replace(composed, **changes)  # type: ignore[arg-type]


def measured(
    settings: LossConfig, painting: Tensor = PAINTING, photos: tuple[Tensor, ...] = (PHOTO,), side: int = 1024
) -> float:
    loss = PerceptualLoss(settings, vgg_weights.load("random"), painting)
    weight = strength.style_weight(loss, photos, side)
    assert loss.config == settings  # as it was
    return weight


@pytest.mark.parametrize("form", FORMS)
def test_scale_laws(form: str) -> None:
    one = measured(config(form))
    assert one > 0
    assert measured(config(form, strength=2.5)) == pytest.approx(2.5 * one)
    assert measured(config(form, strength=0.0)) == 0
    twice = config(form, content_weight=2 * config(form).content_weight)
    assert measured(twice) == pytest.approx(2 * one)
    for style_weight in (0.0, 123.0):  # the raw weight that was given has no say
        assert measured(config(form, style_weight=style_weight)) == pytest.approx(one)


@pytest.mark.parametrize("form", FORMS)
def test_the_weighted_style_of_a_photo_is_so_many_times_its_content_energy(form: str) -> None:
    settings = config(form, strength=0.5)
    loss = PerceptualLoss(settings, vgg_weights.load("random"), PAINTING)
    loss.config = replace(settings, style_weight=measured(settings))
    target = loss.content_target(PHOTO)
    energy = strength.energy(loss, target)
    assert 0 < energy < loss.content(target, torch.zeros_like(target))  # the features' means are no part of it
    expected = 0.5 * strength.UNIT * settings.content_weight * energy
    torch.testing.assert_close(loss(PHOTO, target).style, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_a_painting_of_more_contrast_gets_less_weight(form: str) -> None:
    soft, hard = ((PAINTING - 127) * contrast + 127 for contrast in (1, 2))
    assert measured(config(form), hard) < 0.7 * measured(config(form), soft)


@pytest.mark.parametrize("form", FORMS)
def test_one_photo_of_a_pure_colour_does_not_decide(form: str) -> None:
    photos = tuple(picture(seed) for seed in range(1, 6))
    magenta = torch.tensor([255.0, 0.0, 255.0]).view(1, 3, 1, 1).expand(1, 3, 48, 48)
    low, high = sorted(measured(config(form), photos=(photo,)) for photo in photos)[:: len(photos) - 1]
    assert low <= measured(config(form), photos=photos) <= high
    assert low <= measured(config(form), photos=(*photos, magenta)) <= high


@pytest.mark.parametrize("form", FORMS)
def test_tiles_do_not_change_it(form: str) -> None:
    photo = picture(1, 40, 380)
    whole, tiled = (measured(config(form), photos=(photo,), side=side) for side in (1024, 160))
    assert tiled == pytest.approx(whole, rel=1e-3)


DEGENERATE = {
    "flat": torch.full((1, 3, 48, 48), 127.0),
    "black": torch.zeros(1, 3, 48, 48),
    "white": torch.full((1, 3, 48, 48), 255.0),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("photo", DEGENERATE)
def test_flat_photos_and_paintings_give_a_number_or_a_sentence(photo: str, form: str) -> None:
    for painting, pixels in ((PAINTING, DEGENERATE[photo]), (DEGENERATE[photo], PHOTO)):
        assert 0 < measured(config(form), painting, (pixels,)) < float("inf")


@pytest.mark.parametrize(
    ("changes", "painting", "photo", "words"),
    [
        ({}, PAINTING, PAINTING, "the photo is the painting"),
        ({"content_layer": "conv1_1"}, PAINTING, torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1), "flat"),
        ({"strength": 1e308}, PAINTING, PHOTO, "no number"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(
    changes: dict[str, object], painting: Tensor, photo: Tensor, words: str
) -> None:
    settings = config("johnson", **changes)
    with pytest.raises(RequestError, match=words) as error:
        measured(settings, painting, (photo.expand(1, 3, 48, 48),))
    assert "give loss.style_weight" in str(error.value) and "\n" not in str(error.value)


def test_a_content_weight_of_zero_leaves_nothing_to_weigh_against() -> None:
    with pytest.raises(RequestError, match=r"loss\.strength .*loss\.content_weight=0; give loss\.style_weight"):
        app.compose("optimize", ["content=x", "loss.strength=1", "loss.content_weight=0"])
