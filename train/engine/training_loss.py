"""The training loss of a batch: the perceptual loss, and what the network must not or must do besides."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from impasto.configs.schema.model import MAX_STRIDE, STRIDE
from impasto.configs.schema.train import TrainConfig
from impasto.models.losses import temporal
from impasto.models.losses.blotch import BlotchLoss
from impasto.models.losses.checkerboard import CheckerboardLoss
from impasto.models.losses.drawing import DrawingLoss
from impasto.models.losses.flatness import FlatnessLoss
from impasto.models.losses.frame import FrameLoss
from impasto.models.losses.mesh import MeshLoss
from impasto.models.losses.moving_average import MovingAverages
from impasto.models.losses.palette import PaletteLoss
from impasto.models.losses.pattern import PatternLoss
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.losses.temporal import TemporalLoss
from impasto.models.losses.weave import WeaveLoss
from impasto.models.transform_net import TransformNet
from impasto.train.engine import divergence
from impasto.train.runtime.compile import Compiled
from impasto.train.runtime.device import Hardware
from impasto.train.runtime.distributed import Group

# Each with a weight in the settings of the loss
AUXILIARY = ("blotch", "checkerboard", "drawing", "flatness", "frame", "mesh", "palette", "pattern", "weave")
MEASURES = (*Losses._fields, "temporal", *AUXILIARY)


class _Forward(NamedTuple):
    stylized: Tensor
    losses: Losses
    auxiliary: Tensor  # AUXILIARY


class TrainingLoss:
    """The loss that training minimizes.

    perceptual + temporal_weight * temporal + sum over AUXILIARY of its weight * its loss, where
    perceptual = content_weight * content + style_weight * style + tv_weight * tv (Johnson et al. 2016, section 3).

    Args:
        config: The settings of the run.
        hardware: The device and the precision.
        network: The network.
        loss: The perceptual loss, on the device.
        painting: The style image, RGB [1, 3, H, W], 0..255.
        group: The processes of the run.

    Attributes:
        averages: The moving averages of the palette and pattern losses, or None.
    """

    def __init__(
        self,
        config: TrainConfig,
        hardware: Hardware,
        network: TransformNet,
        loss: PerceptualLoss,
        painting: Tensor,
        group: Group,
    ) -> None:
        self.config = config
        self.hardware = hardware
        self.network = network
        self.loss = loss
        self.checkerboards = [CheckerboardLoss(period) for period in sorted({STRIDE, min(network.stride, MAX_STRIDE)})]
        self.drawing = DrawingLoss()
        self.temporal = TemporalLoss()
        self.frame = FrameLoss()
        loss.window = config.loss.window
        self.blotch = BlotchLoss().to(hardware.device) if config.loss.blotch_weight else None
        self.flatness = FlatnessLoss(painting).to(hardware.device) if config.loss.flatness_weight else None
        self.mesh = MeshLoss().to(hardware.device) if config.loss.mesh_weight else None
        self.palette = PaletteLoss([painting]).to(hardware.device) if config.loss.palette_weight else None
        self.pattern = PatternLoss([painting]).to(hardware.device) if config.loss.pattern_weight else None
        self.weave = WeaveLoss().to(hardware.device) if config.loss.weave_weight else None
        terms = [term for term in (self.palette, self.pattern) if term is not None]
        initial = {name: values for term in terms for name, values in term.initial().items()}
        self.averages = MovingAverages(initial, config.loss.ema_decay, group.mean) if initial else None
        weights = [getattr(config.loss, f"{name}_weight") for name in AUXILIARY]
        self._weights = torch.tensor(weights, device=hardware.device)
        self.forward = Compiled(self._forward, config.trainer.compile, hardware.device)

    def __call__(self, photos: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step.

        Args:
            photos: A batch [N, 3, H, W], 0..255.
            step: The number of steps completed before.

        Returns:
            The scalar to minimize; and MEASURES followed by divergence.STATISTICS, detached, on the device.
        """
        stylized, losses, auxiliary = self.forward(photos)
        with self.hardware.autocast():
            temporal_loss = self._temporal(self.network, photos, stylized, 1 + step)
        total = losses.total + self.config.loss.temporal_weight * temporal_loss + self._weights @ auxiliary
        measures = self._measures(losses, auxiliary, temporal_loss).detach()
        return total, torch.cat([measures, divergence.statistics(stylized.detach())])

    def measures(self, network: nn.Module, photos: Tensor, stylized: Tensor) -> Tensor:
        """MEASURES of the pictures `stylized` that a network generated from photos [N, 3, H, W]."""
        losses = self.loss(stylized, self.loss.content_target(photos))
        temporal_loss = self._temporal(network, photos, stylized, 0)
        return self._measures(losses, self._auxiliary(stylized, photos), temporal_loss)

    def checkerboard(self, pixels: Tensor) -> Tensor:
        """The sum of the checkerboard losses of the strides of the network."""
        return torch.stack([loss(pixels) for loss in self.checkerboards]).sum()

    def _measures(self, losses: Losses, auxiliary: Tensor, temporal_loss: Tensor) -> Tensor:
        return torch.stack([*losses, temporal_loss, *auxiliary])

    def _forward(self, photos: Tensor) -> _Forward:
        with self.hardware.autocast():
            stylized = self.network(photos)
        losses = self.loss(stylized, self.loss.content_target(photos))
        return _Forward(stylized, losses, self._auxiliary(stylized, photos, self.averages))

    def _auxiliary(self, pixels: Tensor, photos: Tensor, averages: MovingAverages | None = None) -> Tensor:
        """AUXILIARY; those without a weight are 0, except the checkerboard loss, which is always measured."""
        weights, zero = self.config.loss, torch.zeros((), device=pixels.device)
        blotch = self.blotch(pixels, photos) if self.blotch is not None else zero
        drawing = self.drawing(pixels, photos) if weights.drawing_weight else zero
        flatness = self.flatness(pixels, photos) if self.flatness is not None else zero
        frame = self.frame(pixels) if weights.frame_weight else zero
        mesh = self.mesh(pixels) if self.mesh is not None else zero
        palette = self.palette(pixels, averages) if self.palette is not None else zero
        pattern = self.pattern(pixels, photos, averages) if self.pattern is not None else zero
        weave = self.weave(pixels) if self.weave is not None else zero
        checkerboard = self.checkerboard(pixels)
        return torch.stack([blotch, checkerboard, drawing, flatness, frame, mesh, palette, pattern, weave])

    def _temporal(self, network: nn.Module, photos: Tensor, stylized: Tensor, step: int) -> Tensor:
        """The temporal loss with the shift and noise of a step, which a resumed run repeats; 0 without a weight."""
        if not self.config.loss.temporal_weight:
            return torch.zeros((), device=self.hardware.device)
        return self.temporal(network, photos, stylized, temporal.draw(self.config.seed, step))


def named_measures(means: Tensor) -> dict[str, float]:
    """MEASURES by name; checkerboard and temporal as root mean squares, in levels of 255."""
    named = dict(zip(MEASURES, means.tolist(), strict=True))
    return named | {name: math.sqrt(named[name]) for name in ("checkerboard", "temporal")}
