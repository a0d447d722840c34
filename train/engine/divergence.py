"""Detection of divergence in training: NaN, exploding losses, flat or saturated pictures."""

import math
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor, nn

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.train import DivergenceConfig
from impasto.models.metrics.artifacts import SATURATED
from impasto.train.engine.optimizer import LR_KEY

STATISTICS = ("std", "saturated_fraction")  # of stylized pictures
RECENT = 10  # rows of metrics.csv whose median is the usual loss

_ADVICE = {
    "nan": f"try a lower {LR_KEY} or loss.style_weight, or precision=fp32",
    "explosion": f"try a lower {LR_KEY}, or a larger trainer.divergence.max_loss_ratio if the photos differ that much",
    "flat": f"try a lower {LR_KEY}, or a larger loss.content_weight so that the photo shows",
    "saturated": f"try a lower {LR_KEY} or loss.style_weight, or trainer.divergence.max_saturated_fraction=1 if the "
    "pictures should be that stark",
}


class DivergenceError(Exception):
    """Training diverged; the message is a clause that says how. `kind` is a key of the advice."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@torch.no_grad()
def statistics(stylized: Tensor) -> Tensor:
    """STATISTICS of pictures [N, 3, H, W], 0..255: their mean standard deviation, and the fraction near 0 or 255.

    They remain on the device.
    """
    std = stylized.flatten(2).std(-1).mean()
    saturated = ((stylized <= SATURATED) | (stylized >= 255 - SATURATED)).float().mean()
    return torch.stack([std, saturated])


def check(
    limits: DivergenceConfig, loss: float, statistics: Sequence[float], recent_losses: Sequence[float], warmed_up: bool
) -> None:
    """Check the means of the steps since the last row.

    Args:
        limits: The limits of each kind of divergence.
        loss: The mean total loss.
        statistics: The means of STATISTICS.
        recent_losses: The total losses of the rows before.
        warmed_up: Whether the warm-up is over; before, pictures may be flat or saturated.

    Raises:
        DivergenceError: A limit is exceeded.
    """
    std, saturated = statistics
    if not math.isfinite(loss) or math.isnan(std):
        raise DivergenceError("nan", "the loss is NaN or infinite")
    if limits.max_loss_ratio is not None and recent_losses and loss > limits.max_loss_ratio * median(recent_losses):
        raise DivergenceError("explosion", f"the loss exploded from {median(recent_losses):.3g} to {loss:.3g}")
    if warmed_up and std < limits.min_std:
        raise DivergenceError("flat", f"the pictures are flat: their standard deviation is {std:.2g} of 255")
    if warmed_up and saturated > limits.max_saturated_fraction:
        raise DivergenceError("saturated", f"the pictures are saturated: {saturated:.1%} of them is black or white")


def check_weights(network: nn.Module) -> None:
    """Raise DivergenceError for a NaN or infinite weight: no picture shows the weights of the last step yet."""
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise DivergenceError("nan", "a weight is NaN or infinite")


def diagnosis(error: DivergenceError, step: int, lr: float, checkpoint: str) -> CheckFailed:
    """The error that ends a run after too many rollbacks; `checkpoint` is the file of the last good network."""
    return CheckFailed(
        f"gave up at step {step}: {error}, even with the learning rate lowered to {lr:.3g}; {_ADVICE[error.kind]}; "
        f"{checkpoint} is the last good network"
    )
