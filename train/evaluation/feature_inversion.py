"""Feature inversion: pictures reconstructed from VGG layers (Gatys et al. 2016, figure 1); the strongest channels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.schema.explore import ExploreConfig
from impasto.models.image.picture import resize
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.deconvnet import Deconvnet
from impasto.models.vgg.features import VGGFeatures
from impasto.models.vgg.receptive_field import Box, ReceptiveField, receptive_field
from impasto.train.image_optimization.optimizer import Callback, Trajectory, noise, optimize
from impasto.train.runtime.contact_sheet import sheet, to_bytes
from impasto.train.runtime.device import Hardware

# Factor of the minimized loss: torch.optim.LBFGS drops each pair of vectors whose product is under 1e-10, and with a
# loss near 1 that is every pair.
SCALE = 1e6
TILE = 128  # px: the side of a displayed patch
GRAY = 127.5
CONTRAST_QUANTILE = 0.995  # of a projection's absolute values; larger values are clipped


@dataclass(frozen=True)
class ReconstructionJob:
    """A picture to reconstruct.

    Attributes:
        term: "content" to match the features of one layer, "style" to match the Gram matrices of all `layers`.
        layers: The layers to match.
    """

    term: str
    layers: list[str]

    @property
    def name(self) -> str:
        """What this job adds to the job before it."""
        return f"+ {self.layers[-1]}" if len(self.layers) > 1 else self.layers[0]


@dataclass(frozen=True)
class Reconstruction:
    """The result of a job. Losses are squared differences relative to the squared features or Gram matrices."""

    job: ReconstructionJob
    trajectory: Trajectory

    @property
    def loss(self) -> float:
        """The loss of the picture, without the total variation."""
        rows = self.trajectory.rows
        return min(rows, key=lambda row: row["total"])[self.job.term] / SCALE

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture, uint8 [H, W, 3]."""
        return to_bytes(self.trajectory.pixels)[0]

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the picture."""
        first, trajectory = self.trajectory.rows[0][self.job.term] / SCALE, self.trajectory
        return {
            "layers": self.job.layers,
            "loss": {"first": first, "last": self.loss},
            "iterations": len(trajectory.rows),
            "stop_reason": trajectory.stop_reason,
            "seconds": round(trajectory.seconds, 3),
        }


def reconstruction_jobs(config: ExploreConfig) -> list[ReconstructionJob]:
    """List the jobs: the photo from each content layer, then the style image from the first 1, 2, ... style layers."""
    layers = config.explore.style_layers
    content = [ReconstructionJob("content", [layer]) for layer in config.explore.content_layers]
    return [*content, *(ReconstructionJob("style", layers[: count + 1]) for count in range(len(layers)))]


def reconstruct(
    job: ReconstructionJob,
    picture: Tensor,
    config: ExploreConfig,
    weights: Weights,
    hardware: Hardware,
    callback: Callback,
) -> Reconstruction:
    """Reconstruct a picture from seeded noise. VGG runs no deeper than the job's layers.

    The loss of a layer is divided by the loss of features that are all zero (Mahendran & Vedaldi 2015, section 3, for
    content), so the losses of layers compare and all layers of a job have equal weight. The total variation is divided
    by the number of values in the picture.

    Args:
        job: The layers to match, and whether to match features or Gram matrices.
        picture: The original, float pixels [1, 3, H, W], 0..255.
        config: The loss network, the weights of the total variation, the optimizer and the seed.
        weights: The weights of VGG.
        hardware: Where to compute, and in which precision.
        callback: Called at each evaluation of the loss.
    """
    is_content, explore = job.term == "content", config.explore
    # The larger the stride of the deepest layer, the less it constrains neighboring pixels, so the more noise remains.
    stride = max(receptive_field(layer, config.loss.network).step for layer in job.layers)
    tv_weight = (explore.content_tv_weight if is_content else explore.style_tv_weight) * stride
    settings = replace(
        config.loss,
        content_layer=job.layers[0],
        content_weight=0.0,
        style_layers=job.layers,
        style_layer_weights=None,
        style_weight=0.0 if is_content else SCALE / len(job.layers),
        tv_weight=SCALE * tv_weight / picture.numel(),
    )
    loss = PerceptualLoss(settings, weights, picture)
    if is_content:
        loss.config = replace(settings, content_weight=SCALE / _content_energy(loss, picture))
    else:
        loss.style_weights = {layer: 1 / energy for layer, energy in _style_energies(loss, picture).items()}
    loss = loss.to(hardware.device).to(memory_format=torch.channels_last).to_precision(hardware.dtype)
    initial = noise(picture.shape[2], picture.shape[3], config.seed).to(hardware.device)
    target = loss.content_target(picture.to(hardware.device))
    return Reconstruction(job, optimize(loss, target, initial, config.optimizer, config.iterations, callback))


def _content_energy(loss: PerceptualLoss, picture: Tensor) -> float:
    target = loss.content_target(picture)
    return float(loss.content(torch.zeros_like(target), target))


@torch.no_grad()
def _style_energies(loss: PerceptualLoss, picture: Tensor) -> dict[str, float]:
    energies = {}
    for layer, features in loss.vgg(picture).items():
        share = features.shape[2:].numel() / picture.shape[2:].numel()
        [style_loss] = loss.style_losses(layer, 1)
        energies[layer] = float(style_loss.from_gram(torch.zeros_like(style_loss.get_buffer("target")), share))
    return energies


@dataclass(frozen=True)
class Unit:
    """The strongest unit of a channel: its position in the layer, its response, and its receptive field."""

    channel: int
    row: int
    column: int
    response: float
    box: Box


def strongest_units(features: Tensor, field: ReceptiveField, shape: tuple[int, int], count: int) -> list[Unit]:
    """Return the strongest unit of each of the channels with the largest single responses, the largest first.

    A channel whose strongest unit is within a quarter of a receptive field of a stronger channel's ranks after all
    others, so that the patches differ. Units whose receptive field crosses the border are ignored if there are others,
    since they also respond to the padding.

    Args:
        features: The features of a layer, [C, h, w].
        field: The receptive field of the layer.
        shape: The height and width of the picture in pixels.
        count: The number of channels to return.
    """
    rows, columns = (field.inside(units, side) for units, side in zip(features.shape[1:], shape, strict=True))
    inner = features[:, rows.start : rows.stop, columns.start : columns.stop]
    peaks, positions = inner.flatten(1).max(1)
    distinct: list[Unit] = []
    overlapping: list[Unit] = []
    for channel in peaks.argsort(descending=True, stable=True).tolist():
        down, right = divmod(int(positions[channel]), inner.shape[2])
        row, column = rows[down], columns[right]
        unit = Unit(channel, row, column, float(peaks[channel]), field.box(row, column))
        overlaps = any(
            max(abs(row - other.row), abs(column - other.column)) * field.step < field.size / 4 for other in distinct
        )
        (overlapping if overlaps else distinct).append(unit)
    return sorted((distinct + overlapping)[:count], key=lambda unit: -unit.response)


class StrongestChannels:
    """The strongest channels of each layer on one picture.

    Args:
        vgg: The loss network up to the layers to show.
        network: Its name, vgg16 or vgg19.
        picture: Float pixels [1, 3, H, W], 0..255.
        count: The number of channels per layer.
    """

    def __init__(self, vgg: VGGFeatures, network: str, picture: Tensor, count: int) -> None:
        self.deconvnet = Deconvnet(vgg, picture)
        self.picture = picture
        shape = (picture.shape[2], picture.shape[3])
        self.units = {
            layer: strongest_units(features, receptive_field(layer, network), shape, count)
            for layer, features in self.deconvnet.features.items()
        }

    def panel(self, layer: str) -> NDArray[np.uint8]:
        """Return a column for each channel: the patch its strongest unit sees, above the deconvnet projection."""
        patches, projections = [], []
        for unit in self.units[layer]:
            projection = self.deconvnet.project(layer, unit.channel, unit.row, unit.column)
            patches.append(_to_tile(_crop(self.picture, unit.box, GRAY)))
            projections.append(_to_tile(_on_gray(_crop(projection[None], unit.box, 0))))
        return sheet([patches, projections], [f"channel {unit.channel}" for unit in self.units[layer]])

    def to_json(self) -> dict[str, Any]:
        """Return the units of each layer."""
        return {layer: [vars(unit) for unit in units] for layer, units in self.units.items()}


def _crop(pixels: Tensor, box: Box, fill: float) -> Tensor:
    """Crop pixels [1, 3, H, W] to a box, with `fill` outside their border."""
    top, bottom, left, right = box
    height, width = pixels.shape[2:]
    return F.pad(pixels, (-left, right - width, -top, bottom - height), value=fill)  # a negative pad crops


def _on_gray(projection: Tensor) -> Tensor:
    """Map a projection [1, 3, H, W] to 0..255 with zero at GRAY and the CONTRAST_QUANTILE at black or white."""
    scale = projection.abs().flatten().quantile(CONTRAST_QUANTILE).clamp(min=1e-12)
    return GRAY * (1 + projection / scale)


def _to_tile(pixels: Tensor) -> NDArray[np.uint8]:
    return resize(to_bytes(pixels)[0], (TILE, TILE))
