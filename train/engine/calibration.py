"""Calibration of loss.style_strength: the raw style_weight of a run."""

import logging
from dataclasses import replace

import torch

from impasto.configs.schema.train import TrainConfig
from impasto.models.card import Card
from impasto.models.losses import style_strength
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops
from impasto.train.engine.train_state import CalibratedStyleWeight, TrainState

logger = logging.getLogger(__name__)


def calibrate(
    config: TrainConfig,
    loss: PerceptualLoss,
    state: TrainState,
    card: Card,
    val_photos: PhotoSet,
    device: torch.device,
) -> Card:
    """Set the style_weight of `loss` to the one that loss.style_strength stands for.

    A resumed run retains its style_weight as long as the settings that it was measured for are the same.

    Args:
        config: The settings of the run.
        loss: The loss on `device`, in float32; its `config` is replaced.
        state: The state of the run, which stores the measured weight.
        card: The model card of the run.
        val_photos: The photos to measure on, at the size of the last training crops: the content losses of Gatys and of
            Keras grow with the picture.
        device: The device to measure on.

    Returns:
        The card with the style_weight.
    """
    assert card.loss is not None and card.style is not None  # a store has no style_strength
    calibrated = state.calibrated_style_weight
    if calibrated is None or not calibrated.is_valid_for(card.loss, card.style):
        size = state.stages[-1].size
        photos, *_ = validation_crops(val_photos, size)
        pixels = (to_pixels(photo, device) for photo in photos.split(1))
        weight = style_strength.style_weight(loss, pixels, size)
        measured = replace(card.loss, style_weight=weight)
        calibrated = state.calibrated_style_weight = CalibratedStyleWeight(measured, card.style.sha256, card.style.size)
    weight = calibrated.loss.style_weight
    loss.config = replace(loss.config, style_weight=weight)
    logger.info("%s", style_strength.sentence(loss.config))
    return card.with_style_weight(weight)
