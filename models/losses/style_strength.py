"""Calibration of loss.style_strength: the equivalent style_weight, measured before the first step."""

import math
from collections.abc import Iterable
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.optimize import MIN_SIDE
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.tiled import TiledLoss

# Measured, by normalization: for The Starry Night strength 1 is style_weight 5.0 with loss=johnson (64 photos, 256 px),
# and 5.8 with loss=strokes (16 crops of 256 px), which are about the weights of these presets
UNITS = {"chw": 16.0, "gatys": 16.0, "keras": 16.0, "relative": 2.0}
ROUNDING = 1e-4  # relative to a gray picture's style loss: a photo below this is the painting itself


@torch.no_grad()
def style_weight(loss: PerceptualLoss, photos: Iterable[Tensor], side: int) -> float:
    """Convert `loss.config.style_strength` to a raw style_weight.

        style_weight = style_strength * content_weight * UNITS[normalization] * E / D

    E is the content energy of the photos (see `energy`) and D their style loss at style_weight 1, both in the loss's
    own normalization. So a strength has about the same effect for all layers and paintings. E and D are medians: a
    photo of one pure color is as far from a painting as fifty others.

    Args:
        loss: The loss to calibrate; its config and window are unchanged afterwards.
        photos: Photos [1, 3, H, W], 0..255.
        side: Side of the tiles without their margin, in px; a multiple of 32.

    Returns:
        The style_weight, >= 0, for the normalization of the loss.

    Raises:
        UsageError: The photos are flat, or one is the painting, or the result is not finite.
    """
    config, window, strength = loss.config, loss.window, loss.config.style_strength
    assert strength is not None
    energies, distances = [], []
    tiled = TiledLoss(loss, side)
    try:
        loss.config, loss.window = replace(config, style_weight=1.0), None  # whole photos
        for photo in photos:
            target = tiled.content_target(photo)
            energies.append(energy(loss, target).item())
            distances.append(tiled(photo, target).style.item())
        blank = photo.new_full((1, 3, MIN_SIDE, MIN_SIDE), 127.0)
        scale = loss(blank, loss.content_target(blank)).style.item()
    finally:
        loss.config, loss.window = config, window
    content, style = median(energies), median(distances)
    if not content > 0:
        raise UsageError("loss.style_strength cannot be measured on flat photos; use others or give loss.style_weight")
    if not style > ROUNDING * scale:
        raise UsageError("loss.style_strength cannot be measured: the photo is the painting; give loss.style_weight")
    weight = strength * config.content_weight * UNITS[config.normalization] * content / style
    if not math.isfinite(weight):
        raise UsageError(f"loss.style_strength={strength:g} gives an infinite style_weight; give loss.style_weight")
    return weight


def energy(loss: PerceptualLoss, target: Tensor) -> Tensor:
    """Compute the content energy E of a photo: the content loss of its features F against their own channel means.

        E = content_loss(F, mean of F over H and W)

    Args:
        loss: The loss whose normalization of the content loss is used.
        target: F [1, C, H, W], the content target of the photo.

    Returns:
        A scalar, >= 0; 0 where each channel is constant.
    """
    return loss.content(target, target.mean((2, 3), keepdim=True).expand_as(target))


def sentence(config: LossConfig) -> str:
    """Describe a calibrated weight for the log.

    Args:
        config: A config with style_strength and the style_weight calibrated to it.

    Returns:
        The message, without a period.
    """
    return f"strength {config.style_strength:g} gives style_weight {config.style_weight:.3g}"
