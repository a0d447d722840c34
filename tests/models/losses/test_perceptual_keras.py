"""The loss of the preset keras-notebook, compared with keras.io's example in NumPy."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from impasto.configs.cli import app
from impasto.configs.schema.loss import LossConfig
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.terms import StyleLoss
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights

Array = NDArray[np.float64]


def keras_notebook() -> LossConfig:
    loss = app.compose("optimize", ["content=x", "loss=keras-notebook", "loss.weights=random"]).loss
    assert isinstance(loss, LossConfig)
    return loss


def numpy_keras(layers: dict[str, Array], photo: dict[str, Array], style: dict[str, Array], pixels: Array) -> float:
    """keras.io's neural_style_transfer.py with the notebook's weights, verbatim, from features [C, H, W]."""

    def gram(features: Array) -> Array:
        rows = features.reshape(len(features), -1)
        return rows @ rows.T

    loss = 0.025 * ((layers["relu2_2"] - photo["relu2_2"]) ** 2).sum()
    size = pixels.shape[1] * pixels.shape[2]
    names = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    for name in names:
        difference = ((gram(style[name]) - gram(layers[name])) ** 2).sum()
        loss += 2.0 / len(names) * difference / (4.0 * 3**2 * size**2)
    down = (pixels[:, :-1, :-1] - pixels[:, 1:, :-1]) ** 2
    right = (pixels[:, :-1, :-1] - pixels[:, :-1, 1:]) ** 2
    return float(loss + 1.0 * ((down + right) ** 1.25).sum())


def numpy_vgg(pixels: Array, weights: Weights) -> dict[str, Array]:
    """Compute VGG-16 after each ReLU; a convolution is a sum over nine shifts."""
    x = pixels - np.array([123.68, 116.779, 103.939])[:, None, None]
    features = {}
    for conv in vgg_weights.CONVS:
        if conv.endswith("_1") and conv != "conv1_1":
            x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))
        kernel = weights[f"{conv}.weight"].double().numpy()
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        height, width = x.shape[1:]
        shifts = [
            np.tensordot(kernel[:, :, i, j], padded[:, i : i + height, j : j + width], 1)
            for i in range(3)
            for j in range(3)
        ]
        x = np.maximum(sum(shifts) + weights[f"{conv}.bias"].double().numpy()[:, None, None], 0)
        features[conv.replace("conv", "relu")] = x
    return features


@pytest.mark.slow
def test_keras_notebook_preset_equals_numpy() -> None:
    """The value, and the gradient along some directions and at a pixel by central differences."""
    weights = vgg_weights.load("random")
    random = np.random.default_rng(1)
    pixels, photo, style_image = (random.uniform(0, 255, (3, 32, 32)) for _ in range(3))
    loss = PerceptualLoss(keras_notebook(), weights, torch.tensor(style_image)[None].float()).double()
    targets = {
        name: StyleLoss(torch.tensor(numpy_vgg(style_image, weights)[name])[None], "keras")
        for name in loss.style_weights
    }
    loss.styles["1"] = torch.nn.ModuleList([torch.nn.ModuleDict(targets)])
    x = torch.tensor(pixels)[None].requires_grad_()
    total = loss(x, loss.content_target(torch.tensor(photo)[None])).total
    (gradient,) = torch.autograd.grad(total, x)
    photo_features, style_features = numpy_vgg(photo, weights), numpy_vgg(style_image, weights)

    def value(at: Array) -> float:
        return numpy_keras(numpy_vgg(at, weights), photo_features, style_features, at)

    assert total.item() == pytest.approx(value(pixels), rel=1e-9)
    directions = [random.normal(size=pixels.shape) for _ in range(3)]
    single = np.zeros_like(pixels)
    single[1, 5, 31] = 1.0
    for direction in [*directions, single]:
        step = 1e-5
        slope = (value(pixels + step * direction) - value(pixels - step * direction)) / (2 * step)
        assert (gradient[0].numpy() * direction).sum() == pytest.approx(slope, rel=1e-4)
