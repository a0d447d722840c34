"""The loss of the picture that impasto-optimize writes is the loss of its trace."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.cli import app
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.image_optimization.inputs import OptimizationInputs
from tests.helpers.in_process import Call
from tests.helpers.optimize import FAST, pixels, trace


def _waves() -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:48, 0:48] / 8
    waves = np.stack([np.sin(3 * rows + columns), np.sin(rows), np.cos(2 * columns - rows)], -1)
    return (100 + 60 * waves).astype(np.uint8)


PAINTINGS = {
    "soft": (120 + 0.2 * _waves().astype(float)).astype(np.uint8),
    "medium": _waves(),
    "hard": (255 * (_waves() > 100)).astype(np.uint8),  # black, white and pure colors: pixels want to leave 0..255
}


def loss_of_file(path: str, *line: str) -> float:
    """The total loss of a written picture, read back."""
    settings = app.compose("optimize", [*line])
    inputs = OptimizationInputs(settings)
    loss = PerceptualLoss(settings.loss, weights.load(settings.loss.weights), inputs.style_images(settings.size))
    target = loss.content_target(inputs.content(settings.size))
    return loss(picture_to_pixels(pixels(path)), target).total.item()


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "keras-notebook"])
@pytest.mark.parametrize("painting", PAINTINGS)
def test_written_picture_has_the_loss_of_the_trace(call_optimize: Call, painting: str, optimizer: str) -> None:
    Image.fromarray(PAINTINGS[painting]).save("style.png")
    for init in ("content", "noise"):
        line = ["content=photo.jpg", "style=style.png", *FAST, "size=48", "style.size=48", "iterations=40"]
        line += [f"optimizer={optimizer}", f"init={init}", "scales=[32]", "save_every=40"]
        assert call_optimize(*line, "output=out.png") == 0
        scales = trace("out.trace.json")["scales"]
        assert loss_of_file("out.png", *line) == pytest.approx(scales[-1]["best"], rel=0.01)
        last = scales[-1]["losses"][-1]["total"]
        assert loss_of_file("out.frames/000080.png", *line) == pytest.approx(last, rel=0.01)
        if optimizer == "lbfgs":
            assert scales[-1]["best"] == pytest.approx(last, rel=0.01)
