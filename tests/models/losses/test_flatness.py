from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from impasto.models.losses import flatness
from impasto.models.losses.flatness import FlatnessLoss
from impasto.models.losses.opponent import OPPONENT

GRAY = torch.full((1, 3, 96, 128), 127.0)


def texture(amplitude: float, seed: int = 0) -> torch.Tensor:
    return amplitude * torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(seed))


def half(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return torch.cat([left[..., :64], right[..., :64]], 3)


PAINTING = half(GRAY + texture(2), GRAY + texture(40))  # flat on the left


def test_flatness_loss_permits_what_the_flat_parts_of_the_painting_have() -> None:
    loss = FlatnessLoss(PAINTING)
    assert loss(GRAY + texture(1, 1), GRAY).item() == 0
    assert loss(GRAY + texture(2, 1), GRAY).item() < 0.1
    assert 1.5 < loss(GRAY + texture(6, 1), GRAY).item() < 2  # three times as strong, but for the FLOOR


def test_flatness_loss_permits_any_texture_where_the_photo_has_some() -> None:
    loss, picture = FlatnessLoss(PAINTING), GRAY + texture(20, 1)
    everywhere = loss(picture, GRAY).item()
    assert loss(picture, GRAY + texture(20, 2)).item() < 1e-3 * everywhere
    one_side = loss(picture, half(GRAY, GRAY + texture(20, 2))).item()
    assert one_side == pytest.approx(everywhere * 3 / 7, rel=0.1)  # 3 of 7 windows in a row are flat


def test_flatness_loss_does_not_count_a_margin_of_plain_paper() -> None:
    framed = F.pad(PAINTING, (64, 64, 64, 64), value=255.0)
    picture = GRAY + texture(2, 1)
    assert FlatnessLoss(framed)(picture, GRAY).item() < 0.2 < 1 < FlatnessLoss(GRAY)(picture, GRAY).item()


def test_flatness_loss_does_not_see_shades_and_areas() -> None:
    shade = GRAY + torch.linspace(-60, 60, 128)
    assert FlatnessLoss(GRAY)(shade, GRAY).item() < 1
    assert FlatnessLoss(GRAY)(GRAY + 60, GRAY).item() < 1e-6


@pytest.mark.parametrize("period", [2, 4, 8, 16])
@pytest.mark.parametrize("channel", range(3))
def test_flatness_loss_sees_a_faint_weave_of_any_color(period: int, channel: int) -> None:
    columns = torch.cos(2 * torch.pi * torch.arange(128) / period).expand(1, 1, 96, 128)
    weave = 3 * columns * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)
    assert FlatnessLoss(GRAY)(GRAY + weave, GRAY).item() > 0.15


def test_flatness_loss_equals_the_formula_for_each_picture_of_a_batch() -> None:
    photos = torch.cat([GRAY + texture(1, 1), GRAY + texture(2, 2)])
    pictures = torch.cat([GRAY + texture(9, 3), GRAY + texture(4, 4)])
    values = [energies(picture) for picture in (PAINTING[0], *photos, *pictures)]
    painting, values = values[0].flatten(1), values[1:]
    count = round(0.2 * painting.shape[1])
    permitted = painting[:, painting.sum(0).argsort()[:count]].mean(1) + 0.1
    expected = []
    for photo, picture in zip(values[:2], values[2:], strict=True):
        weight = torch.exp(-(photo[0] + photo[3] + photo[6]) / 4)
        excess = ((picture + 0.1) / permitted[:, None, None]).sqrt() - 1
        expected.append((weight * excess.clamp(min=0)).mean().item())
    assert FlatnessLoss(PAINTING)(pictures, photos).item() == pytest.approx(sum(expected) / 2, rel=1e-4)


def energies(picture: torch.Tensor) -> torch.Tensor:
    """Of a picture [3, H, W]: [bands x channels, rows, columns]."""
    planes = torch.einsum("kc,chw->khw", torch.tensor(OPPONENT, dtype=torch.float64), picture.double())
    levels = [planes]
    for radius in (1, 2, 4):
        size = 2 * radius + 1
        padded = F.pad(planes[None], (radius,) * 4, mode="reflect")[0]
        levels.append(padded.unfold(1, size, 1).unfold(2, size, 1).mean((-2, -1)))
    bands = torch.cat([finer - coarser for finer, coarser in pairwise(levels)])
    return bands.square().unfold(1, 32, 16).unfold(2, 32, 16).mean((-2, -1))


def test_flatness_loss_has_a_gradient_for_a_flat_picture() -> None:
    picture = GRAY.clone().requires_grad_()
    FlatnessLoss(GRAY)(picture, GRAY).backward()
    assert picture.grad is not None and torch.isfinite(picture.grad).all()
    assert flatness.FLOOR > 0  # without it, the root of 0 has none
