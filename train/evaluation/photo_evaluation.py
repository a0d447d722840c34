"""The evaluation of a network on photos: losses, equivalent iterations, artifacts and flicker."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.evaluate import EvaluateConfig
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.metrics import artifacts
from impasto.models.metrics.flicker import flicker
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.evaluation.equivalent_iterations import equivalent_iterations
from impasto.train.evaluation.optimizer_baseline import BaselineTrajectory, baseline_trajectory
from impasto.train.image_optimization.optimizer import Iterate
from impasto.train.image_optimization.projected import RANGE
from impasto.train.runtime.contact_sheet import to_bytes


@dataclass(frozen=True)
class PhotoEvaluation:
    """The evaluation of one photo at one size. Dictionaries by start have a value for each initial image.

    Attributes:
        photo: The photo's name.
        size: The side of the square in pixels.
        losses: The network's losses total, content, style and tv.
        equivalent_iterations: The metric, by start.
        ratio: The network's total loss divided by the optimizer's best, by start.
        best: The optimizer's best total loss, by start.
        artifacts: The figures of `metrics.artifacts`, for the "network" and for the "photo".
        flicker: The figures of `metrics.flicker`.
        pixels: The photo, uint8 [size, size, 3].
        stylized: The network's output, uint8 [size, size, 3].
        trajectories: The optimizer's trajectories, by start.
    """

    photo: str
    size: int
    losses: dict[str, float]
    equivalent_iterations: dict[str, int]
    ratio: dict[str, float]
    best: dict[str, float]
    artifacts: dict[str, dict[str, float]]
    flicker: dict[str, float]
    pixels: NDArray[np.uint8]
    stylized: NDArray[np.uint8]
    trajectories: dict[str, BaselineTrajectory]

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the pictures."""
        names = ("photo", "size", "losses", "equivalent_iterations", "ratio", "best", "artifacts", "flicker")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ArtifactMedians:
    """The medians of the figures of `metrics.artifacts`, by their names.

    Attributes:
        network: Of the network's outputs.
        photo: Of the photos.
        excess: Of the differences between the network's output and its photo.
    """

    network: dict[str, float]
    photo: dict[str, float]
    excess: dict[str, float]


@dataclass(frozen=True)
class MedianRow:
    """The medians over the photos at one size, compared with the optimizer from one initial image.

    Attributes:
        size: The side of the squares in pixels.
        start: The name of the initial image.
        photos: The number of photos.
        equivalent_iterations: The metric; half an iteration is possible for an even number of photos.
        ratio: The network's total loss divided by the optimizer's best.
        total: The network's total loss.
        content: Its content loss.
        style: Its style loss.
        artifacts: The artifacts.
        flicker: The figures of `metrics.flicker`.
    """

    size: int
    start: str
    photos: int
    equivalent_iterations: float
    ratio: float
    total: float
    content: float
    style: float
    artifacts: ArtifactMedians
    flicker: dict[str, float]


def evaluate_photo(
    network: Callable[[Tensor], Tensor],
    loss: PerceptualLoss,
    key: str,
    photo: NDArray[np.uint8],
    name: str,
    config: EvaluateConfig,
    on_progress: Callable[[str, Iterate], None],
) -> PhotoEvaluation:
    """Compare a network with the optimizer on one photo, by the same loss, in float32.

    Both are scored on pixels in 0..255: the optimizer is projected to this range, the network's output clamped.

    Args:
        network: Maps pixels [1, 3, H, W], 0..255, to pixels.
        loss: The loss that the network was trained with.
        key: The loss_key of `loss`, for the cache of trajectories.
        photo: uint8 [H, W, 3].
        name: The photo's name.
        config: The initial images, the number of iterations, the seed and the cache.
        on_progress: Called with the initial image's name at each iteration that is not cached.

    Raises:
        CheckFailed: The loss of the network's output is not finite.
    """
    pixels = picture_to_pixels(photo)

    def clamped(pixels: Tensor) -> Tensor:
        return network(pixels).clamp(*RANGE)

    with torch.no_grad():
        stylized = clamped(pixels)
        values = torch.stack(loss(stylized, loss.content_target(pixels))).tolist()
    losses = dict(zip(Losses._fields, values, strict=True))
    total = losses["total"]
    if not np.isfinite(total):
        raise CheckFailed(f"the loss of the network's output on {name} is not finite; train the network again")
    trajectories = {
        start: baseline_trajectory(loss, key, pixels, start, config, partial(on_progress, start))
        for start in config.evaluate.starts
    }
    return PhotoEvaluation(
        photo=name,
        size=photo.shape[0],
        losses=losses,
        equivalent_iterations={
            start: equivalent_iterations(trajectory.totals, total) for start, trajectory in trajectories.items()
        },
        ratio={start: total / trajectory.best for start, trajectory in trajectories.items()},
        best={start: trajectory.best for start, trajectory in trajectories.items()},
        artifacts={"network": artifacts.figures(stylized), "photo": artifacts.figures(pixels)},
        flicker=flicker(clamped, pixels, config.seed),
        pixels=photo,
        stylized=to_bytes(stylized)[0],
        trajectories=trajectories,
    )


def medians(evaluations: list[PhotoEvaluation]) -> list[MedianRow]:
    """Return the medians over the photos: a row for each size and each initial image of the optimizer."""
    rows = []
    for size in sorted({evaluation.size for evaluation in evaluations}):
        group = [evaluation for evaluation in evaluations if evaluation.size == size]
        for start in group[0].equivalent_iterations:
            total, content, style = (
                statistics.median(e.losses[name] for e in group) for name in ("total", "content", "style")
            )
            rows.append(
                MedianRow(
                    size=size,
                    start=start,
                    photos=len(group),
                    equivalent_iterations=statistics.median(e.equivalent_iterations[start] for e in group),
                    ratio=statistics.median(e.ratio[start] for e in group),
                    total=total,
                    content=content,
                    style=style,
                    artifacts=_artifact_medians([e.artifacts for e in group]),
                    flicker={name: statistics.median(e.flicker[name] for e in group) for name in group[0].flicker},
                )
            )
    return rows


def _artifact_medians(figures: list[dict[str, dict[str, float]]]) -> ArtifactMedians:
    names = figures[0]["photo"]
    network, photo = (
        {name: statistics.median(one[image][name] for one in figures) for name in names}
        for image in ("network", "photo")
    )
    excess = {name: statistics.median(one["network"][name] - one["photo"][name] for one in figures) for name in names}
    return ArtifactMedians(network, photo, excess)


def median_trajectories(evaluations: list[PhotoEvaluation]) -> list[tuple[str, list[float], float]]:
    """Return a panel for each size and initial image: its title, the optimizer's median loss at each iteration, and
    the network's median loss.
    """
    panels = []
    for row in medians(evaluations):
        size, start = row.size, row.start
        totals = [evaluation.trajectories[start].totals for evaluation in evaluations if evaluation.size == size]
        losses = [statistics.median(values) for values in zip(*totals, strict=False)]
        panels.append((f"{size} px, optimizer from {start}", losses, row.total))
    return panels
