"""Feature inversion: what is reconstructed from layers, and which channels are the strongest."""

from pathlib import Path

import pytest
import skimage
import torch
from torch import Tensor

from impasto.configs.cli import app
from impasto.models.image.decode import read
from impasto.models.image.picture import resize
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures
from impasto.models.vgg.receptive_field import ReceptiveField
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.evaluation import feature_inversion
from impasto.train.evaluation.feature_inversion import ReconstructionJob
from impasto.train.image_optimization.optimizer import noise
from impasto.train.runtime import device


def reconstruct(picture: Tensor, term: str, *layers: str, weights: Weights, overrides: tuple[str, ...] = ()) -> Tensor:
    config = app.compose("explore", ["content=x", "iterations=60", *overrides])
    job, hardware = ReconstructionJob(term, [*layers]), device.choose("cpu", "fp32")
    done = feature_inversion.reconstruct(job, picture, config, weights, hardware, lambda iterate: False)
    return done.trajectory.pixels.clamp(0, 255)


@pytest.mark.slow
def test_reconstruct_content_of_deeper_layers_is_farther_from_the_photo() -> None:
    """Mean absolute difference in levels of 255; noise is some 80 away."""
    cat = read(Path(skimage.__file__).parent / "data/chelsea.png").rgb[20:280, 80:380]
    picture = picture_to_pixels(resize(cat, (48, 56)))
    weights = vgg_weights.load("auto")
    gaps = []
    for layer in ("relu1_1", "relu2_2", "relu4_3"):
        gaps.append(float((reconstruct(picture, "content", layer, weights=weights) - picture).abs().mean()))
    assert gaps[0] < 3
    assert gaps[1] > 1.5 * gaps[0] and gaps[2] > 3 * gaps[1]  # 2.1, 4.7, 32


@pytest.mark.slow
def test_reconstruct_runs_vgg_no_deeper_than_the_layers() -> None:
    weights = vgg_weights.load("random")
    shallow = {name: values for name, values in weights.items() if name[4:7] in ("1_1", "1_2", "2_1")}
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    for term in ("content", "style"):
        reconstruct(picture, term, "relu2_1", weights=shallow, overrides=("iterations=2",))
        with pytest.raises(KeyError, match="conv2_2"):
            reconstruct(picture, term, "relu2_2", weights=shallow, overrides=("iterations=2",))


@pytest.mark.slow
def test_reconstruct_loss_is_relative_to_the_squared_features() -> None:
    """In every normalization of the loss, it equals squared differences over squares, averaged over the layers."""
    weights = vgg_weights.load("random")
    picture = torch.rand(1, 3, 32, 36, generator=torch.Generator().manual_seed(7)) * 100
    layers = ["relu1_2", "relu2_1"]
    vgg, hardware = VGGFeatures(layers, weights), device.choose("cpu", "fp32")
    target, initial = ({layer: x[0].flatten(1) for layer, x in vgg(y).items()} for y in (picture, noise(32, 36, 0)))

    def relative(one: Tensor, other: Tensor) -> float:
        return float((one - other).square().sum() / other.square().sum())

    content = relative(initial["relu2_1"], target["relu2_1"])
    style = sum(relative(initial[layer] @ initial[layer].T, target[layer] @ target[layer].T) for layer in layers) / 2
    start = noise(32, 36, 0)
    tv = float(start.diff(dim=2).square().sum() + start.diff(dim=3).square().sum()) / start.numel()
    for form in ("johnson", "gatys2016", "keras-notebook"):
        config = app.compose(
            "explore", ["content=x", f"loss={form}", "loss.pooling=max", "loss.tv_power=2", "iterations=1"]
        )
        config.explore.content_tv_weight = config.explore.style_tv_weight = 1e-4
        for job, expected in (
            (ReconstructionJob("content", ["relu2_1"]), content),
            (ReconstructionJob("style", layers), style),
        ):
            done = feature_inversion.reconstruct(job, picture, config, weights, hardware, lambda iterate: False)
            assert done.loss == pytest.approx(expected, rel=1e-3)
            assert done.loss > 0.01
            smoothing = 1e-4 * 2  # a unit of relu2_1 every 2 px
            assert done.trajectory.totals[0] / feature_inversion.SCALE == pytest.approx(
                expected + smoothing * tv, rel=1e-3
            )


def test_strongest_units_prefer_distinct_positions() -> None:
    features = torch.zeros(5, 20, 20)
    features[0, 0, 0] = 99  # its receptive field crosses the border
    for channel, (response, row, column) in enumerate([(9, 5, 5), (8, 5, 6), (7, 5, 9), (6, 15, 15), (0, 0, 0)]):
        features[channel, row, column] = response
    field = ReceptiveField(size=12, step=1, start=-5)

    def positions(count: int) -> list[tuple[int, int, int]]:
        units = feature_inversion.strongest_units(features, field, (20, 20), count)
        return [(unit.channel, unit.row, unit.column) for unit in units]

    assert positions(2) == [(0, 5, 5), (2, 5, 9)]
    assert positions(3) == [(0, 5, 5), (1, 5, 6), (2, 5, 9)]
    whole = ReceptiveField(size=40, step=1, start=-20)
    assert feature_inversion.strongest_units(features, whole, (20, 20), 1)[0].box == (-20, 20, -20, 20)
