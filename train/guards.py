"""What goes wrong inside a run, seen in its losses and pictures: no number, explosion, flat or saturated pictures."""

import math
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor, nn

from impasto.configs.errors import CheckError
from impasto.configs.schema import GuardConfig
from impasto.models.artefacts import SATURATED

FIGURES = ("spread", "saturated")
USUAL = 10  # rows that tell how large the loss usually is

_ADVICE = {
    "number": "try a lower trainer.lr or loss.style_weight, or precision=fp32",
    "explosion": "try a lower trainer.lr, or a larger trainer.guard.explosion if its photos differ that much",
    "flat": "try a lower trainer.lr, or a larger loss.content_weight for the photo to show",
    "saturated": "try a lower trainer.lr or loss.style_weight, or trainer.guard.saturated=1 if it is to be that stark",
}


class FaultError(Exception):
    """A fault of the network in training; its message says what was seen, as the end of a sentence."""

    def __init__(self, kind: str, seen: str) -> None:
        super().__init__(seen)
        self.kind = kind


@torch.no_grad()
def figures(stylized: Tensor) -> Tensor:
    """FIGURES of pictures [N, 3, H, W], 0..255: how many levels they vary by, and the share of nearly 0 or 255.

    They stay on the device.
    """
    spread = stylized.flatten(2).std(-1).mean()
    saturated = ((stylized <= SATURATED) | (stylized >= 255 - SATURATED)).float().mean()
    return torch.stack([spread, saturated])


def check(limits: GuardConfig, loss: float, seen: Sequence[float], usual: Sequence[float], warm: bool) -> None:
    """Raise FaultError for a mean loss that follows the `usual` ones, or for the mean figures `seen`.

    Before the network is `warm` its pictures may be anything.
    """
    spread, saturated = seen
    if not math.isfinite(loss) or math.isnan(spread):
        raise FaultError("number", "the loss is no number any more")
    if limits.explosion is not None and usual and loss > limits.explosion * median(usual):
        raise FaultError("explosion", f"the loss exploded to {loss:.3g}, from {median(usual):.3g}")
    if warm and spread < limits.flat:
        raise FaultError("flat", f"the pictures are flat: they vary by {spread:.2g} levels of 255")
    if warm and saturated > limits.saturated:
        raise FaultError("saturated", f"the pictures are saturated: {saturated:.1%} of them is black or white")


def check_weights(network: nn.Module) -> None:
    """Raise FaultError for a weight that is no number: the last step's are in no picture yet."""
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise FaultError("number", "a weight is no number any more")


def give_up(fault: FaultError, step: int, lr: float, left: str) -> CheckError:
    """The diagnosis of a run that meets its faults again and again; `left` is the file of the last good network."""
    return CheckError(
        f"gave up at step {step}: {fault}, with a learning rate lowered to {lr:.3g} too; {_ADVICE[fault.kind]}; "
        f"{left} is the last good network"
    )
