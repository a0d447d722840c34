"""The per-image optimizer: projected L-BFGS or Adam on the pixels of one picture (Gatys et al. 2016)."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.optimize import OptimizerConfig
from impasto.models.losses.perceptual import Losses
from impasto.train.image_optimization.projected import RANGE, ProjectedAdam, ProjectedLBFGS

HISTORY_BYTES = 2 << 30  # of L-BFGS: 50 pairs fit at up to 1024 px, 16 at 2048x2730
SCIPY_MAXFUN = 15_000  # scipy's own

Loss = Callable[[Tensor, Tensor], Losses]
"""PerceptualLoss or an equivalent: maps pixels [1, 3, H, W] and the photo's content target to losses."""


@dataclass(frozen=True)
class Iterate:
    """One evaluation of the loss.

    Attributes:
        iteration: Its number, from 1.
        losses: The weighted terms total, content, style and tv.
        seconds: Since the optimization began.
        pixels: The pixels [1, 3, H, W], in RANGE. They change after the callback returns.
    """

    iteration: int
    losses: dict[str, float]
    seconds: float
    pixels: Tensor


Callback = Callable[[Iterate], bool]
"""Called at each evaluation; returns True to stop the optimizer."""


@dataclass
class Trajectory:
    """The course of an optimization.

    Attributes:
        pixels: The iterate with the lowest total loss, [1, 3, H, W], in RANGE. Full steps may leave it again.
        rows: The losses (total, content, style, tv) of each evaluation in order; infinite where one overflowed.
        seconds: The duration.
        stop_reason: "iterations", "converged" or "stopped".
        best: The lowest total loss.
    """

    pixels: Tensor
    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: str = "iterations"
    best: float = math.inf

    @property
    def totals(self) -> list[float]:
        return [row["total"] for row in self.rows]

    def record(self, row: dict[str, float], pixels: Tensor, seconds: float) -> None:
        """Append the losses of pixels [1, 3, H, W], and copy the pixels if their total loss is the lowest so far."""
        self.rows.append(row)
        self.seconds = seconds
        if row["total"] < self.best:
            self.best = row["total"]
            self.pixels.copy_(pixels)


class _Stop(Exception):  # noqa: N818 - leaves the search from within an evaluation
    """Carries the stop reason."""


class _Overflow(Exception):  # noqa: N818 - leaves an evaluation, too, which then counts as infinite
    """A loss or a gradient is not finite."""


def noise(height: int, width: int, seed: int) -> Tensor:
    """Return pixels [1, 3, H, W], uniform in 0..255: the initial image that networks are compared from."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 255


def optimize(
    loss: Loss,
    content_target: Tensor,
    initial: Tensor,
    config: OptimizerConfig,
    iterations: int,
    callback: Callback = lambda iterate: False,
) -> Trajectory:
    """Minimize the loss over the pixels of a picture, subject to 0 <= pixel <= 255.

    Each evaluated iterate is in this range (Johnson et al. 2016, section 4), so a loss is that of a picture which can
    be written; without the bounds, the loss also falls by values that writing clamps. One iteration is one
    evaluation of the loss, also within scipy's line search. After an overflow the search resumes from the best iterate
    with an empty L-BFGS history.

    Args:
        loss: The loss to minimize.
        content_target: The photo's features, as `loss` expects them.
        initial: The initial pixels [1, 3, H, W], projected to 0..255; left unchanged.
        config: The optimizer, its step sizes and its stopping rule.
        iterations: The maximal number of evaluations.
        callback: Called at each evaluation.

    Returns:
        The losses of all evaluations and the best pixels.

    Raises:
        CheckFailed: The loss or the gradient of `initial` is not finite.
    """
    began = time.monotonic()
    pixels = initial.detach().clamp(*RANGE).contiguous().requires_grad_()
    trajectory = Trajectory(pixels.detach().clone())
    recent: deque[float] = deque(maxlen=config.patience + 1)

    def evaluate() -> float:
        if len(trajectory.rows) >= iterations:
            raise _Stop("iterations")
        row = _differentiate(loss, pixels, content_target)
        trajectory.record(row, pixels.detach(), time.monotonic() - began)
        if math.isinf(row["total"]):
            raise _Overflow
        recent.append(trajectory.best)
        if callback(Iterate(len(trajectory.rows), row, trajectory.seconds, pixels.detach())):
            raise _Stop("stopped")
        if recent[-1] == 0 or (len(recent) > config.patience and recent[0] - recent[-1] < config.tolerance * recent[0]):
            raise _Stop("converged")
        return row["total"]

    try:
        while True:
            _search(pixels, config, evaluate, trajectory.rows)
            if math.isinf(trajectory.best):
                raise CheckFailed("the loss of the initial image is not finite; lower the weights of the loss")
            if math.isinf(trajectory.rows[-1]["total"]):
                with torch.no_grad():
                    pixels.copy_(trajectory.pixels)
    except _Stop as stop:
        trajectory.stop_reason = str(stop)
    return trajectory


def _differentiate(loss: Loss, pixels: Tensor, content_target: Tensor) -> dict[str, float]:
    """Set the gradient of the pixels and return their losses, all infinite if the loss or the gradient overflows."""
    losses = loss(pixels.contiguous(memory_format=torch.channels_last), content_target)
    (gradient,) = torch.autograd.grad(losses.total, pixels)
    pixels.grad = gradient.contiguous()
    row = dict(zip(Losses._fields, torch.stack(losses).tolist(), strict=True))
    finite = math.isfinite(row["total"]) and bool(gradient.isfinite().all())
    return row if finite else dict.fromkeys(row, math.inf)


def _search(
    pixels: Tensor, config: OptimizerConfig, evaluate: Callable[[], float], rows: list[dict[str, float]]
) -> None:
    """Step with one optimizer state, until that state has to be discarded."""
    began = len(rows)
    try:
        if config.name == "scipy":
            _search_scipy(pixels, config, evaluate)
            return
        stepper = _stepper(pixels, config)
        while config.restart is None or len(rows) - began < config.restart:
            stepper.step(evaluate)
            if len(rows) - began > 1 and rows[-1] == rows[-2]:  # rounding made the direction an ascent: no step at all
                return
    except _Overflow:
        return


def _stepper(pixels: Tensor, config: OptimizerConfig) -> ProjectedLBFGS | ProjectedAdam:
    if config.name == "adam":
        return ProjectedAdam(pixels, config.lr)
    history = max(1, min(config.history, HISTORY_BYTES // (2 * pixels.numel() * pixels.element_size())))
    return ProjectedLBFGS(pixels, config.lr, config.first_step, history)


def _search_scipy(pixels: Tensor, config: OptimizerConfig, evaluate: Callable[[], float]) -> None:
    from scipy.optimize import fmin_l_bfgs_b

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with torch.no_grad():
            pixels.copy_(torch.from_numpy(flat).to(pixels.dtype).view_as(pixels))  # Metal has no float64
        value = evaluate()
        assert pixels.grad is not None
        return value, pixels.grad.flatten().cpu().double().numpy()

    initial = pixels.detach().flatten().cpu().double().numpy()
    result = fmin_l_bfgs_b(
        loss_and_gradient,
        initial,
        m=config.history,
        maxfun=config.restart or SCIPY_MAXFUN,
        bounds=[RANGE] * initial.size,
    )[0]
    with torch.no_grad():
        pixels.copy_(torch.from_numpy(result).to(pixels.dtype).view_as(pixels))
