"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

State = dict[str, Tensor]


class Soap(Optimizer):
    """SOAP (Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam", algorithm 3).

    For a weight W of `rows` outputs and `columns` inputs times kernel positions, with the gradient G, it keeps moving
    averages L of G G^T and R of G^T G, and orthogonal bases Q_L and Q_R of their eigenvectors, and takes Adam's step in
    these bases:

        W <- W - lr * Q_L ((Q_L^T M Q_R) / (sqrt(V) + eps)) Q_R^T

    M is the moving average of G, V that of (Q_L^T G Q_R)^2, both with bias correction. Every `frequency` steps, one
    power iteration with a QR decomposition updates the bases; each weight has its own turn, so that no step is slower
    than another. The first step initializes the bases only. Biases, norms and depthwise convolutions, which have no
    two dimensions to rotate, take Adam's step.

    Args:
        params: The parameters.
        lr: Learning rate.
        betas: Decay of M, and of V, L and R.
        eps: Term added to the denominator.
        frequency: Steps between two updates of a basis.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], eps: float, frequency: int
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "frequency": frequency})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters; `closure` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for index, parameter in enumerate(group["params"]):
                if parameter.grad is not None:
                    self._update(parameter, index, group)

    def _update(self, parameter: nn.Parameter, index: int, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        gradient, state, (beta1, beta2) = _matrix(parameter.grad), self.state[parameter], group["betas"]
        rotated = min(gradient.shape) > 1
        first = not state
        if first:
            state |= {"step": torch.zeros(()), "average": torch.zeros_like(gradient)}
            state["squares"] = torch.zeros_like(gradient)
            if rotated:
                _initialize_bases(state, gradient, beta2)
                return
        state["step"] += 1
        step = int(state["step"])
        state["average"].lerp_(gradient, 1 - beta1)
        projected = _rotate(state, gradient) if rotated else gradient
        state["squares"].lerp_(projected.square(), 1 - beta2)
        average = _rotate(state, state["average"]) if rotated else state["average"]
        update = average / (1 - beta1**step)
        update = update / ((state["squares"] / (1 - beta2**step)).sqrt() + group["eps"])
        update = state["left_basis"] @ update @ state["right_basis"].T if rotated else update
        parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"])
        if rotated:
            state["left"].lerp_(gradient @ gradient.T, 1 - beta2)
            state["right"].lerp_(gradient.T @ gradient, 1 - beta2)
            if (step + index) % group["frequency"] == 0:
                _update_bases(state)


def _matrix(tensor: Tensor) -> Tensor:
    """A parameter or its gradient as float32 [rows, columns]; one row for what is not rotated."""
    if tensor.dim() < 2 or tensor.shape[1] == 1:
        return tensor.float().reshape(1, -1)
    return tensor.float().reshape(tensor.shape[0], -1)


def _rotate(state: State, matrix: Tensor) -> Tensor:
    return state["left_basis"].T @ matrix @ state["right_basis"]


def _initialize_bases(state: State, gradient: Tensor, beta: float) -> None:
    for side, product in (("left", gradient @ gradient.T), ("right", gradient.T @ gradient)):
        state[side] = (1 - beta) * product
        state[f"{side}_basis"] = torch.linalg.eigh(product).eigenvectors.flip(1).contiguous()


def _update_bases(state: State) -> None:
    """Take one power iteration, with the eigenvectors and V in the order of the eigenvalues."""
    for dim, side in enumerate(("left", "right")):
        basis = state[f"{side}_basis"]
        product = state[side] @ basis
        order = (basis * product).sum(0).argsort(descending=True)
        state["squares"] = state["squares"].index_select(dim, order)
        state[f"{side}_basis"] = torch.linalg.qr(product[:, order]).Q.contiguous()
