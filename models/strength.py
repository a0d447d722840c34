"""One knob for any painting: the raw style_weight that a `loss.strength` stands for, measured before the first step."""

import math
from collections.abc import Iterable
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.schema import MIN_SIDE, LossConfig
from impasto.models.losses import PerceptualLoss
from impasto.models.tiles import TiledLoss

UNIT = 16.0  # measured: strength 1 is style_weight 5.0 for The Starry Night and 64 photos, at 256 px, loss=johnson
ROUNDING = 1e-4  # of a grey picture's distance to the painting: a photo that is nearer is the painting itself


@torch.no_grad()
def style_weight(loss: PerceptualLoss, photos: Iterable[Tensor], side: int) -> float:
    """The raw style_weight that loss.config.strength stands for, measured on photos [1, 3, H, W].

    strength * content_weight * UNIT * E / D: E is the photos' content energy and D their style loss at style_weight 1,
    both in the loss's own form, so that the knob weighs what is left of the one against what is lost of the other. Of
    each the median: a photo of one pure colour is as far from a painting as fifty others. VGG sees tiles of `side` px
    (32 divides it). Raises RequestError where there is nothing to measure by.
    """
    config, knob = loss.config, loss.config.strength
    assert knob is not None
    energies, distances = [], []
    tiled = TiledLoss(loss, side)
    try:
        loss.config = replace(config, style_weight=1.0)
        for photo in photos:
            target = tiled.content_target(photo)
            energies.append(energy(loss, target).item())
            distances.append(tiled(photo, target).style.item())
        blank = photo.new_full((1, 3, MIN_SIDE, MIN_SIDE), 127.0)
        scale = loss(blank, loss.content_target(blank)).style.item()
    finally:
        loss.config = config
    content, style = median(energies), median(distances)
    if not content > 0:
        raise RequestError("loss.strength cannot be measured on flat photos; take others, or give loss.style_weight")
    if not style > ROUNDING * scale:
        raise RequestError("loss.strength cannot be measured: the photo is the painting; give loss.style_weight")
    weight = knob * config.content_weight * UNIT * content / style
    if not math.isfinite(weight):
        raise RequestError(f"loss.strength={knob:g} gives a style_weight that is no number; give loss.style_weight")
    return weight


def energy(loss: PerceptualLoss, target: Tensor) -> Tensor:
    """The content loss of features [1, C, H, W] against their own means: what a photo has to lose."""
    return loss.content(target, target.mean((2, 3), keepdim=True).expand_as(target))


def sentence(config: LossConfig) -> str:
    """What the user is told at the start."""
    return f"strength {config.strength:g} gives style_weight {config.style_weight:.3g}"
