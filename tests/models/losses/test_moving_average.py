import pytest
import torch

from impasto.configs.cli import app
from impasto.models.losses.moving_average import MovingAverages
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from tests.helpers.commands import TINY


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


def test_style_loss_of_averages_asks_pictures_together_for_the_painting() -> None:
    """Two pictures that are the painting's halves have its Gram matrix together, and neither has it alone."""
    line = [*TINY, "data.root=photos", "loss.content_weight=0", "loss.style_layers=[relu1_1]"]
    config = app.compose("train", line).loss
    torch.manual_seed(0)
    halves = torch.cat([torch.zeros(1, 3, 32, 32), 255 * torch.rand(1, 3, 32, 32)])
    painting = torch.cat([*halves.split(1)], 3)
    loss = PerceptualLoss(config, weights.load("random"), painting)
    target = loss.content_target(halves)
    alone = loss(halves, target).style
    averages = MovingAverages(loss.grams(), 0.5)
    together = loss(halves, target, averages).style
    assert together < 0.01 * alone
    with pytest.raises(AttributeError):
        averages("relu9_9", halves)
