"""Optimizers whose iterates stay in 0..255: the pixels that are scored are the pixels that are written."""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

RANGE = (0.0, 255.0)  # of a pixel
_MIN_CURVATURE = 1e-10  # torch.optim.LBFGS's: a pair with a smaller product is dropped

Evaluate = Callable[[], float]
"""Returns the loss of the pixels and sets their gradient."""


class ProjectedLBFGS:
    """L-BFGS without line search (Nocedal & Wright 2006, algorithm 7.4), projected to RANGE.

    Johnson et al. 2016 (section 4) clip the image at each iteration. Clipping alone makes L-BFGS diverge, since its
    curvature pairs then contain steps that the clipping undid. So pixels at a bound whose gradient points outward are
    fixed for the step, and gradient, direction and the new pair are restricted to the others (Bertsekas 1982).

    Args:
        pixels: The pixels to optimize, in RANGE.
        lr: The step size.
        first_step: The mean change of a pixel in the first step; None for a sum of `lr` over all pixels, as in torch.
        history: The number of curvature pairs to store.
    """

    def __init__(self, pixels: Tensor, lr: float, first_step: float | None, history: int) -> None:
        self._pixels = pixels
        self._lr = lr
        self._first = lr if first_step is None else first_step * pixels.numel()
        self._pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=history)  # s, y, 1 / (s . y)
        self._last: tuple[Tensor, Tensor] | None = None  # the last iterate and its gradient

    def step(self, evaluate: Evaluate) -> None:
        """Evaluate the loss once, and step from there; no step if rounding made the direction an ascent."""
        evaluate()
        assert self._pixels.grad is not None
        pixels, gradient = self._pixels.detach(), self._pixels.grad
        free = ~_is_fixed(pixels, gradient)
        if self._last is not None:
            self._add_pair((pixels - self._last[0]) * free, (gradient - self._last[1]) * free)
        self._last = pixels.clone(), gradient
        projected = gradient * free
        step = self._step(projected) * free
        if _dot(step, projected) <= 0:
            pixels.add_(step).clamp_(*RANGE)

    def _add_pair(self, s: Tensor, y: Tensor) -> None:
        if (curvature := _dot(s, y)) > _MIN_CURVATURE:
            self._pairs.append((s, y, 1 / curvature))

    def _step(self, gradient: Tensor) -> Tensor:
        """Return the step for a projected gradient by the two-loop recursion."""
        if not self._pairs:
            return gradient * (-self._first * (1 / gradient.abs().sum()).clamp(max=1))
        q, coefficients = gradient.neg(), []
        for s, y, rho in reversed(self._pairs):
            coefficients.append(_dot(s, q) * rho)
            q.sub_(y * coefficients[-1])
        _, y, rho = self._pairs[-1]
        q.div_(rho * _dot(y, y))
        for (s, y, rho), coefficient in zip(self._pairs, reversed(coefficients), strict=True):
            q.add_(s * (coefficient - _dot(y, q) * rho))
        return q.mul_(self._lr)


class ProjectedAdam:
    """Adam along the projected gradient, projected to RANGE.

    Args:
        pixels: The pixels to optimize, in RANGE.
        lr: The step size.
    """

    def __init__(self, pixels: Tensor, lr: float) -> None:
        self._pixels = pixels
        self._adam = torch.optim.Adam([pixels], lr)

    def step(self, evaluate: Evaluate) -> None:
        """Evaluate the loss once, and step from there."""
        evaluate()
        assert self._pixels.grad is not None
        self._pixels.grad[_is_fixed(self._pixels.detach(), self._pixels.grad)] = 0
        self._adam.step()
        self._pixels.detach().clamp_(*RANGE)


def _is_fixed(pixels: Tensor, gradient: Tensor) -> Tensor:
    """Return where a step against the gradient would leave RANGE at once."""
    low, high = RANGE
    return ((pixels <= low) & (gradient > 0)) | ((pixels >= high) & (gradient < 0))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return one.flatten().dot(other.flatten())
