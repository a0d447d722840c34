"""The training loss: perceptual loss, checkerboard loss and temporal loss of a batch."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from impasto.configs.schema.train import TrainConfig
from impasto.models.losses import temporal
from impasto.models.losses.checkerboard import CheckerboardLoss
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.losses.temporal import TemporalLoss
from impasto.models.transform_net import MULTIPLE
from impasto.train.engine import divergence
from impasto.train.runtime.compile import Compiled
from impasto.train.runtime.device import Hardware

MEASURES = ("total", "content", "style", "tv", "checkerboard", "temporal")


class _Forward(NamedTuple):
    stylized: Tensor
    losses: Losses
    checkerboard: Tensor


class TrainingLoss:
    """The loss that training minimizes.

    perceptual + checkerboard_weight * checkerboard + temporal_weight * temporal, where perceptual = content_weight *
    content + style_weight * style + tv_weight * tv (Johnson et al. 2016, section 3).
    """

    def __init__(self, config: TrainConfig, hardware: Hardware, network: nn.Module, loss: PerceptualLoss) -> None:
        self.config = config
        self.hardware = hardware
        self.network = network
        self.loss = loss
        self.checkerboard = CheckerboardLoss(MULTIPLE)
        self.temporal = TemporalLoss()
        self.forward = Compiled(self._forward, config.trainer.compile, hardware.device)

    def __call__(self, photos: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step.

        Args:
            photos: A batch [N, 3, H, W], 0..255.
            step: The number of steps completed before.

        Returns:
            The scalar to minimize; and MEASURES followed by divergence.STATISTICS, detached, on the device.
        """
        stylized, losses, checkerboard = self.forward(photos)
        with self.hardware.autocast():
            temporal_loss = self._temporal(self.network, photos, stylized, 1 + step)
        weights = self.config.loss
        total = losses.total + weights.checkerboard_weight * checkerboard + weights.temporal_weight * temporal_loss
        measures = torch.stack([*losses, checkerboard, temporal_loss]).detach()
        return total, torch.cat([measures, divergence.statistics(stylized.detach())])

    def measures(self, network: nn.Module, photos: Tensor, stylized: Tensor) -> Tensor:
        """MEASURES of the pictures `stylized` that a network generated from photos [N, 3, H, W]."""
        losses = self.loss(stylized, self.loss.content_target(photos))
        temporal_loss = self._temporal(network, photos, stylized, 0)
        return torch.stack([*losses, self.checkerboard(stylized), temporal_loss])

    def _forward(self, photos: Tensor) -> _Forward:
        with self.hardware.autocast():
            stylized = self.network(photos)
        return _Forward(stylized, self.loss(stylized, self.loss.content_target(photos)), self.checkerboard(stylized))

    def _temporal(self, network: nn.Module, photos: Tensor, stylized: Tensor, step: int) -> Tensor:
        """The temporal loss with the shift and noise of a step, which a resumed run repeats; 0 without a weight."""
        if not self.config.loss.temporal_weight:
            return torch.zeros((), device=self.hardware.device)
        return self.temporal(network, photos, stylized, temporal.draw(self.config.seed, step))


def named_measures(means: Tensor) -> dict[str, float]:
    """MEASURES by name; checkerboard and temporal as root mean squares, in levels of 255."""
    named = dict(zip(MEASURES, means.tolist(), strict=True))
    return named | {name: math.sqrt(named[name]) for name in ("checkerboard", "temporal")}
