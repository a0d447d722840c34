import pytest
import torch

from impasto.models.losses.moving_average import MovingAverages


def test_moving_average_has_the_value_of_the_average_and_the_gradient_of_the_batch() -> None:
    averages = MovingAverages({"gram": torch.tensor([[4.0, 0.0]])}, 0.75)
    batch = torch.tensor([[0.0, 1.0], [0.0, 3.0]], requires_grad=True)
    value = averages("gram", batch)
    torch.testing.assert_close(value.detach(), torch.tensor([[3.0, 0.5]]))
    (value * torch.tensor([1.0, 10.0])).sum().backward()
    torch.testing.assert_close(batch.grad, torch.tensor([[0.5, 5.0], [0.5, 5.0]]))
    torch.testing.assert_close(averages("gram", batch).detach(), torch.tensor([[2.25, 0.875]]))


def test_moving_average_is_reduced_over_processes() -> None:
    averages = MovingAverages({"gram": torch.zeros(1, 1)}, 0.5, reduce=lambda values: values + 6)
    assert averages("gram", torch.full((1, 1), 2.0)).item() == 4


def test_moving_average_ignores_its_initial_tensor_afterwards() -> None:
    initial = torch.zeros(1, 1)
    MovingAverages({"gram": initial}, 0.5)("gram", torch.ones(1, 1))
    assert initial.item() == 0


def test_moving_average_of_an_unknown_statistic_is_an_error() -> None:
    with pytest.raises(AttributeError):
        MovingAverages({"gram": torch.zeros(1, 1)}, 0.5)("palette", torch.ones(1, 1))
