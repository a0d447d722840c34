import numpy as np
import pytest
import torch
from torch import nn

from impasto.train.engine.soap import Soap

SETTINGS = {"lr": 0.01, "betas": (0.9, 0.95), "eps": 1e-8, "frequency": 3}


def gradients(steps: int, *shape: int) -> torch.Tensor:
    return torch.randn(steps, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32)


def run(parameter: nn.Parameter, sequence: torch.Tensor, **settings: object) -> Soap:
    optimizer = Soap([parameter], **(SETTINGS | settings))  # type: ignore[arg-type]
    for gradient in sequence:
        parameter.grad = gradient.clone()
        optimizer.step()
    return optimizer


def test_soap_of_a_vector_is_adam() -> None:
    sequence = gradients(7, 5)
    mine, adams = (nn.Parameter(torch.ones(5)) for _ in range(2))
    run(mine, sequence)
    adam = torch.optim.Adam([adams], lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for gradient in sequence:
        adams.grad = gradient.clone()
        adam.step()
    torch.testing.assert_close(mine, adams)


def test_soap_depthwise_convolution_is_adam() -> None:
    parameter = nn.Parameter(torch.ones(4, 1, 3, 3))
    optimizer = run(parameter, gradients(2, 4, 1, 3, 3))
    assert "left" not in optimizer.state[parameter]


def test_soap_equals_the_algorithm_in_numpy() -> None:
    """Vyas et al. 2024, algorithm 3, in float64, with the gradients of 8 steps."""
    sequence = gradients(8, 3, 2, 2, 1)
    parameter = nn.Parameter(torch.zeros(3, 2, 2, 1))
    run(parameter, sequence)
    weight, average, squares = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    for index, gradient in enumerate(sequence.double().reshape(8, 3, 4).numpy()):
        if index == 0:
            left, right = 0.05 * gradient @ gradient.T, 0.05 * gradient.T @ gradient
            bases = [np.linalg.eigh(side)[1][:, ::-1] for side in (left, right)]
            continue
        average = 0.9 * average + 0.1 * gradient
        squares = 0.95 * squares + 0.05 * (bases[0].T @ gradient @ bases[1]) ** 2
        rotated = bases[0].T @ average @ bases[1] / (1 - 0.9**index)
        step = rotated / (np.sqrt(squares / (1 - 0.95**index)) + 1e-8)
        weight -= 0.01 * bases[0] @ step @ bases[1].T
        left = 0.95 * left + 0.05 * gradient @ gradient.T
        right = 0.95 * right + 0.05 * gradient.T @ gradient
        if index % 3 == 0:
            for axis, side in enumerate((left, right)):
                product = side @ bases[axis]
                order = np.argsort(-(bases[axis] * product).sum(0), kind="stable")
                squares = np.take(squares, order, axis)
                bases[axis] = np.linalg.qr(product[:, order])[0]
    # Eigenvectors and columns of Q have arbitrary signs, which cancel. Rank-deficient sides add rounding noise.
    np.testing.assert_allclose(parameter.detach().reshape(3, 4).numpy(), weight, atol=2e-4)


def test_soap_first_step_initializes_only() -> None:
    parameter = nn.Parameter(torch.ones(3, 4))
    run(parameter, gradients(1, 3, 4))
    assert (parameter == 1).all()


def test_soap_resumes_exactly_from_its_state() -> None:
    sequence = gradients(10, 4, 6)
    whole, parts = (nn.Parameter(torch.zeros(4, 6)) for _ in range(2))
    run(whole, sequence)
    first = run(parts, sequence[:5])
    second = Soap([parts], **SETTINGS)  # type: ignore[arg-type]
    second.load_state_dict(first.state_dict())
    for gradient in sequence[5:]:
        parts.grad = gradient.clone()
        second.step()
    assert torch.equal(whole, parts)


def test_soap_closure_is_refused() -> None:
    with pytest.raises(AssertionError):
        Soap([nn.Parameter(torch.zeros(2, 2))], **SETTINGS).step(lambda: 0.0)  # type: ignore[arg-type]
