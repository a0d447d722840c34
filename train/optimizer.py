"""The per-image optimizer: L-BFGS or Adam on the pixels of one picture, after Gatys et al. 2016."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.configs.errors import CheckError
from impasto.configs.schema import OptimizerConfig
from impasto.models.losses import Losses

HISTORY_BYTES = 2 << 30  # of L-BFGS: 50 pairs fit at up to 1024 px, 16 at 2048x2730
SCIPY_MAXFUN = 15_000  # scipy's own

Loss = Callable[[Tensor, Tensor], Losses]
"""PerceptualLoss, or what computes the same: pictures [1, 3, H, W] and the photo's content target to losses."""


@dataclass(frozen=True)
class Iterate:
    """One evaluation of the loss: its number from 1, its weighted terms, the unclamped pixels [1, 3, H, W]."""

    iteration: int
    losses: dict[str, float]
    seconds: float
    pixels: Tensor


Callback = Callable[[Iterate], bool]
"""Called at each evaluation, with pixels that change afterwards; True stops the optimizer."""


@dataclass
class Trajectory:
    """What an optimisation did: `rows`, the losses (total, content, style, tv) of each evaluation in turn.

    `pixels` [1, 3, H, W], unclamped, is the iterate of the lowest total, which full steps may leave again. A row that
    overflowed holds infinities. `ended` is iterations, converged or stopped.
    """

    pixels: Tensor
    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    ended: str = "iterations"
    best: float = math.inf

    @property
    def totals(self) -> list[float]:
        return [row["total"] for row in self.rows]


class _End(Exception):  # noqa: N818 - ends the search from within an evaluation
    """Carries why the optimisation ends."""


class _Overflow(Exception):  # noqa: N818 - as above
    """A loss or a gradient that is no number."""


def noise(height: int, width: int, seed: int) -> Tensor:
    """Pixels [1, 3, H, W], uniform in 0..255: where the comparison with networks starts."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 255


def optimize(
    loss: Loss,
    content_target: Tensor,
    start: Tensor,
    config: OptimizerConfig,
    iterations: int,
    callback: Callback = lambda iterate: False,
) -> Trajectory:
    """Lower the loss of a picture, from `start` [1, 3, H, W], by at most so many evaluations of the loss.

    The iterate is never clamped, as in the reference codes, and the losses are those of the unclamped iterate; writing
    the picture clamps it. One iteration is one evaluation, also within scipy's line search. Where a step overflows, the
    search goes on from the best iterate with its memory forgotten. Raises CheckError if `start` itself has no loss.
    """
    began = time.monotonic()
    pixels = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    trajectory = Trajectory(start.detach().clone())
    recent: deque[float] = deque(maxlen=config.window + 1)

    def evaluate() -> float:
        if len(trajectory.rows) >= iterations:
            raise _End("iterations")
        losses = loss(pixels.contiguous(memory_format=torch.channels_last), content_target)
        (gradient,) = torch.autograd.grad(losses.total, pixels)
        pixels.grad = gradient.contiguous()
        row = dict(zip(Losses._fields, torch.stack(losses).tolist(), strict=True))
        finite = math.isfinite(row["total"]) and bool(gradient.isfinite().all())
        trajectory.rows.append(row if finite else dict.fromkeys(row, math.inf))
        trajectory.seconds = time.monotonic() - began
        if not finite:
            raise _Overflow
        if row["total"] < trajectory.best:
            trajectory.best = row["total"]
            trajectory.pixels.copy_(pixels.detach())
        recent.append(trajectory.best)
        if callback(Iterate(len(trajectory.rows), row, trajectory.seconds, pixels.detach())):
            raise _End("stopped")
        if recent[-1] == 0 or (len(recent) > config.window and recent[0] - recent[-1] < config.tolerance * recent[0]):
            raise _End("converged")
        return row["total"]

    try:
        while True:
            _search(pixels, config, evaluate, trajectory.rows)
            if math.isinf(trajectory.best):
                raise CheckError("the picture to start from has no finite loss; lower the weights of the loss")
            if math.isinf(trajectory.rows[-1]["total"]):
                with torch.no_grad():
                    pixels.copy_(trajectory.pixels)
    except _End as end:
        trajectory.ended = str(end)
    return trajectory


def _search(
    pixels: Tensor, config: OptimizerConfig, evaluate: Callable[[], float], rows: list[dict[str, float]]
) -> None:
    """Step with one memory, until it is to be forgotten."""
    began = len(rows)
    try:
        if config.name == "scipy":
            _search_scipy(pixels, config, evaluate)
            return
        optimizer = _optimizer(pixels, config)
        [group] = optimizer.param_groups
        if config.first_step is not None:  # torch divides the first step by the sum of the gradient's absolute values
            group["lr"] = config.first_step * pixels.numel()
        while config.restart is None or len(rows) - began < config.restart:
            optimizer.step(evaluate)
            group["lr"] = config.lr
            if len(rows) - began > 1 and rows[-1] == rows[-2]:  # rounding made the direction an ascent: no step at all
                return
    except _Overflow:
        return


def _optimizer(pixels: Tensor, config: OptimizerConfig) -> torch.optim.Optimizer:
    if config.name == "adam":
        return torch.optim.Adam([pixels], config.lr)
    history = max(1, min(config.history, HISTORY_BYTES // (2 * pixels.numel() * pixels.element_size())))
    # One iteration a call, which then is one evaluation; no tolerances, since `optimize` decides when to end.
    return torch.optim.LBFGS(
        [pixels], config.lr, max_iter=1, tolerance_grad=0, tolerance_change=0, history_size=history
    )


def _search_scipy(pixels: Tensor, config: OptimizerConfig, evaluate: Callable[[], float]) -> None:
    from scipy.optimize import fmin_l_bfgs_b

    def at(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with torch.no_grad():
            pixels.copy_(torch.from_numpy(flat).view_as(pixels))
        value = evaluate()
        assert pixels.grad is not None
        return value, pixels.grad.flatten().double().cpu().numpy()

    start = pixels.detach().flatten().double().cpu().numpy()
    found = fmin_l_bfgs_b(at, start, m=config.history, maxfun=config.restart or SCIPY_MAXFUN)[0]
    with torch.no_grad():
        pixels.copy_(torch.from_numpy(found).view_as(pixels))
