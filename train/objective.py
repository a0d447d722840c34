"""What training minimises, of a batch: the perceptual loss of the network's pictures, their lattice, their flicker."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from impasto.configs.schema import TrainConfig
from impasto.models import stability
from impasto.models.losses import LatticeLoss, Losses, PerceptualLoss
from impasto.models.networks import MULTIPLE
from impasto.models.stability import StabilityLoss
from impasto.train import guards
from impasto.train.compiled import Compiled
from impasto.train.hardware import Hardware


class _Judged(NamedTuple):
    stylized: Tensor
    losses: Losses
    lattice: Tensor


class Objective:
    """The losses of a network in training, and of others of its kind."""

    def __init__(self, config: TrainConfig, hardware: Hardware, network: nn.Module, loss: PerceptualLoss) -> None:
        self.config = config
        self.hardware = hardware
        self.network = network
        self.loss = loss
        self.lattice = LatticeLoss(MULTIPLE)
        self.stability = StabilityLoss()
        self.judge = Compiled(self._judge, config.trainer.compile, hardware.device)

    def __call__(self, photos: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """What to minimise on photos [N, 3, H, W] at a step; and MEASURES (train/records.py) with guards.FIGURES."""
        stylized, losses, lattice = self.judge(photos)
        with self.hardware.autocast():
            unsteady = self._unsteadiness(self.network, photos, stylized, 1 + step)
        weights = self.config.trainer
        total = losses.total + weights.lattice_weight * lattice + weights.stability_weight * unsteady
        measures = torch.stack([*losses, lattice, unsteady]).detach()
        return total, torch.cat([measures, guards.figures(stylized.detach())])

    def measures(self, network: nn.Module, photos: Tensor, stylized: Tensor) -> Tensor:
        """MEASURES of pictures `stylized` that a network made of photos [N, 3, H, W]."""
        losses = self.loss(stylized, self.loss.content_target(photos))
        unsteady = self._unsteadiness(network, photos, stylized, 0)
        return torch.stack([*losses, self.lattice(stylized), unsteady])

    def _judge(self, photos: Tensor) -> _Judged:
        with self.hardware.autocast():
            stylized = self.network(photos)
        return _Judged(stylized, self.loss(stylized, self.loss.content_target(photos)), self.lattice(stylized))

    def _unsteadiness(self, network: nn.Module, photos: Tensor, stylized: Tensor, step: int) -> Tensor:
        """The stability loss by the shift and noise of a step, which a resumed run draws again; 0 without a weight."""
        if not self.config.trainer.stability_weight:
            return torch.zeros((), device=self.hardware.device)
        random = stability.draw(self.config.seed, step)
        return self.stability(network, photos, stylized, random)
