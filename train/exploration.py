"""What layers keep: pictures rebuilt from them (Gatys et al. 2016, figure 1), and the strongest of their channels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.schema import ExploreConfig
from impasto.models.deconvnet import Box, Deconvnet, ReceptiveField, receptive_field
from impasto.models.losses import PerceptualLoss
from impasto.models.pictures import resize
from impasto.models.vgg import VGGFeatures
from impasto.models.vgg_weights import Weights
from impasto.train.hardware import Hardware
from impasto.train.optimizer import Callback, Trajectory, noise, optimize
from impasto.train.sheets import sheet, to_bytes

# Of the loss that is optimised: torch.optim.LBFGS drops each pair of vectors whose product is under 1e-10, and with a
# loss near 1 that is all of them.
SCALE = 1e6
TILE = 128  # px: how large a patch is shown
GREY = 127.5
SHOWN = 0.995  # of a projection's values keep their contrast, the others are clipped


@dataclass(frozen=True)
class Job:
    """A picture to rebuild: from the features of one layer (`term` content), or the Gram matrices of some (style)."""

    term: str
    layers: list[str]

    @property
    def name(self) -> str:
        """How it differs from the job before it."""
        return f"+ {self.layers[-1]}" if len(self.layers) > 1 else self.layers[0]


@dataclass(frozen=True)
class Rebuilt:
    """What came of a job. Losses are squared differences as a part of the squared features or Gram matrices."""

    job: Job
    trajectory: Trajectory

    @property
    def loss(self) -> float:
        """That of the picture, without the total variation."""
        rows = self.trajectory.rows
        return min(rows, key=lambda row: row["total"])[self.job.term] / SCALE

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return to_bytes(self.trajectory.pixels)[0]

    def as_json(self) -> dict[str, Any]:
        """The figures without the picture."""
        first, trajectory = self.trajectory.rows[0][self.job.term] / SCALE, self.trajectory
        return {
            "layers": self.job.layers,
            "loss": {"first": first, "last": self.loss},
            "iterations": len(trajectory.rows),
            "ended": trajectory.ended,
            "seconds": round(trajectory.seconds, 3),
        }


def jobs(config: ExploreConfig) -> list[Job]:
    """The photo from each content layer alone, then the painting from the first style layer, the first two, ..."""
    growing = [config.explore.style_layers[: count + 1] for count in range(len(config.explore.style_layers))]
    alone = [[layer] for layer in config.explore.content_layers]
    return [*(Job("content", layers) for layers in alone), *(Job("style", layers) for layers in growing)]


def rebuild(
    job: Job, picture: Tensor, config: ExploreConfig, weights: Weights, place: Hardware, watch: Callback
) -> Rebuilt:
    """Rebuild a picture [1, 3, H, W] from seeded noise; VGG runs as deep as the job's layers.

    A layer's loss is divided by that of features which are all zero (Mahendran & Vedaldi 2015, section 3, of content),
    so that layers compare and each weighs alike in a set; the total variation is a mean over the picture's numbers.
    """
    content, explore = job.term == "content", config.explore
    # The coarser the deepest layer, the less it says of neighbouring pixels, and the more noise would stay.
    coarseness = max(receptive_field(layer, config.loss.network).step for layer in job.layers)
    tv_weight = (explore.content_tv_weight if content else explore.style_tv_weight) * coarseness
    settings = replace(
        config.loss,
        content_layer=job.layers[0],
        content_weight=0.0,
        style_layers=job.layers,
        style_layer_weights=None,
        style_weight=0.0 if content else SCALE / len(job.layers),
        tv_weight=SCALE * tv_weight / picture.numel(),
    )
    loss = PerceptualLoss(settings, weights, picture)
    if content:
        loss.config = replace(settings, content_weight=SCALE / _content_energy(loss, picture))
    else:
        loss.style_weights = {layer: 1 / energy for layer, energy in _style_energies(loss, picture).items()}
    loss = loss.to(place.device).to(memory_format=torch.channels_last).to_precision(place.dtype)
    start = noise(picture.shape[2], picture.shape[3], config.seed)
    target = loss.content_target(picture.to(place.device))
    return Rebuilt(job, optimize(loss, target, start.to(place.device), config.optimizer, config.iterations, watch))


def _content_energy(loss: PerceptualLoss, picture: Tensor) -> float:
    target = loss.content_target(picture)
    return float(loss.content(torch.zeros_like(target), target))


@torch.no_grad()
def _style_energies(loss: PerceptualLoss, picture: Tensor) -> dict[str, float]:
    energies = {}
    for layer, features in loss.vgg(picture).items():
        share = features.shape[2:].numel() / picture.shape[2:].numel()
        [style_loss] = loss.style_losses(layer)
        energies[layer] = float(style_loss.from_gram(torch.zeros_like(style_loss.get_buffer("target")), share))
    return energies


@dataclass(frozen=True)
class Unit:
    """The strongest unit of a channel: where it is in the layer, its response, and what it sees of the picture."""

    channel: int
    row: int
    column: int
    response: float
    box: Box


def strongest(features: Tensor, field: ReceptiveField, shape: tuple[int, int], count: int) -> list[Unit]:
    """The channels of features [C, h, w] with the largest single responses to a picture of `shape`, the largest first.

    A channel that responds most where a stronger one does, within a quarter of a receptive field, comes after all
    others, so that patches differ. Only units that see no border count, where there are any: padding responds, too.
    """
    rows, columns = (field.inside(units, side) for units, side in zip(features.shape[1:], shape, strict=True))
    inner = features[:, rows.start : rows.stop, columns.start : columns.stop]
    peaks, places = inner.flatten(1).max(1)
    apart: list[Unit] = []
    beside: list[Unit] = []
    for channel in peaks.argsort(descending=True, stable=True).tolist():
        down, right = divmod(int(places[channel]), inner.shape[2])
        row, column = rows[down], columns[right]
        unit = Unit(channel, row, column, float(peaks[channel]), field.box(row, column))
        near = any(
            max(abs(row - other.row), abs(column - other.column)) * field.step < field.size / 4 for other in apart
        )
        (beside if near else apart).append(unit)
    return sorted((apart + beside)[:count], key=lambda unit: -unit.response)


class Channels:
    """The strongest channels of each layer on one picture [1, 3, H, W]."""

    def __init__(self, vgg: VGGFeatures, network: str, picture: Tensor, count: int) -> None:
        self.net = Deconvnet(vgg, picture)
        self.picture = picture
        shape = (picture.shape[2], picture.shape[3])
        self.units = {
            layer: strongest(features, receptive_field(layer, network), shape, count)
            for layer, features in self.net.features.items()
        }

    def panel(self, layer: str) -> NDArray[np.uint8]:
        """A column for each channel: the patch that its strongest unit sees, above what it responded to there."""
        patches, projections = [], []
        for unit in self.units[layer]:
            projection = self.net.project(layer, unit.channel, unit.row, unit.column)
            patches.append(_tile(_cut(self.picture, unit.box, GREY)))
            projections.append(_tile(_on_grey(_cut(projection[None], unit.box, 0))))
        return sheet([patches, projections], [f"channel {unit.channel}" for unit in self.units[layer]])

    def as_json(self) -> dict[str, Any]:
        """The units of each layer."""
        return {layer: [vars(unit) for unit in units] for layer, units in self.units.items()}


def _cut(pixels: Tensor, box: Box, fill: float) -> Tensor:
    """A box of pixels [1, 3, H, W], and `fill` beyond their border."""
    top, bottom, left, right = box
    height, width = pixels.shape[2:]
    return F.pad(pixels, (-left, right - width, -top, bottom - height), value=fill)  # a negative pad cuts


def _on_grey(projection: Tensor) -> Tensor:
    """A projection [1, 3, H, W] as pixels 0..255: zero is grey, all but its largest values from black to white."""
    scale = projection.abs().flatten().quantile(SHOWN).clamp(min=1e-12)
    return GREY * (1 + projection / scale)


def _tile(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels [1, 3, H, W] at the size of display."""
    return resize(to_bytes(pixels)[0], (TILE, TILE))
