"""The deconvnet against independent computations: filters, rectified gradients, receptive fields."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.schema.vgg_layers import VGG16_LAYERS
from impasto.models.vgg import weights
from impasto.models.vgg.constants import MEAN_RGB
from impasto.models.vgg.deconvnet import Deconvnet
from impasto.models.vgg.features import VGGFeatures
from impasto.models.vgg.receptive_field import receptive_field

WEIGHTS = weights.load("random")
PIXELS = torch.rand(1, 3, 45, 38, generator=torch.Generator().manual_seed(0)) * 255  # odd sides: pooling drops a row


def strongest(features: Tensor) -> tuple[int, int, int]:
    channel, row, column = (int(i) for i in torch.unravel_index(features.argmax(), features.shape))
    return channel, row, column


def test_project_from_first_layer_gives_its_filter() -> None:
    net = Deconvnet(VGGFeatures(["relu1_1"], WEIGHTS), PIXELS)
    net.features["relu1_1"][5, 20, 9] = 3.0
    expected = torch.zeros(3, 45, 38)
    expected[:, 19:22, 8:11] = 3.0 * WEIGHTS["conv1_1.weight"][5]
    torch.testing.assert_close(net.project("relu1_1", 5, 20, 9), expected)


class Rectified(torch.autograd.Function):
    """A ReLU whose gradient is rectified instead of gated: the backward pass of a deconvnet."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.relu()


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("layer", ["relu1_2", "pool1", "conv2_1", "relu3_1"])
def test_project_equals_rectified_gradient(layer: str, pooling: str) -> None:
    net = Deconvnet(VGGFeatures([layer, "relu1_1"], WEIGHTS, pooling=pooling), PIXELS)
    unit = strongest(net.features[layer])
    pixels = PIXELS.clone().requires_grad_()
    x = pixels - torch.tensor(MEAN_RGB).view(1, 3, 1, 1)
    for name in VGG16_LAYERS[: VGG16_LAYERS.index(layer) + 1]:
        if name.startswith("conv"):
            x = F.conv2d(x, WEIGHTS[f"{name}.weight"], WEIGHTS[f"{name}.bias"], padding=1)
        elif name.startswith("relu"):
            x = Rectified.apply(x)
        else:
            x = F.max_pool2d(x, 2) if pooling == "max" else F.avg_pool2d(x, 2)
    torch.testing.assert_close(net.features[layer], x[0].detach())
    (gradient,) = torch.autograd.grad(x[(0, *unit)], pixels, x[(0, *unit)].detach())
    projection = net.project(layer, *unit)
    torch.testing.assert_close(projection, gradient[0], rtol=1e-4, atol=1e-4 * float(gradient.abs().max()))


@pytest.mark.parametrize(
    ("layer", "size", "step"),
    [("relu1_1", 3, 1), ("relu1_2", 5, 1), ("relu2_2", 14, 2), ("relu3_3", 40, 4), ("relu4_3", 92, 8)],
)
def test_project_support_equals_the_receptive_field(layer: str, size: int, step: int) -> None:
    field = receptive_field(layer)
    assert (field.size, field.step) == (size, step)
    pixels = torch.rand(1, 3, 144, 120, generator=torch.Generator().manual_seed(1)) * 255
    # Average pooling blocks no path, so that the support is the whole field.
    net = Deconvnet(VGGFeatures([layer], WEIGHTS, pooling="average"), pixels)
    row, column = (side // step // 2 for side in pixels.shape[2:])
    channel = int(net.features[layer][:, row, column].argmax())
    support = net.project(layer, channel, row, column).abs().sum(0) > 0
    top, bottom, left, right = field.box(row, column)
    assert support[top:bottom, left:right].float().mean() > 0.3
    rows, columns = (support.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (top, bottom, left, right)
