"""Where a network begins: new, from a checkpoint, from the zoo by name, from the nearest of the zoo."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from impasto.configs import app
from impasto.configs.errors import RequestError
from impasto.configs.schema import TrainConfig
from impasto.models import checkpoint, vgg_weights, zoo
from impasto.models.losses import PerceptualLoss
from impasto.train import photos, style, warm
from tests.conftest import Run

FOLDER_OF_ZOO = zoo.FOLDER


@pytest.fixture
def begin(photo_folder: Path) -> Callable[..., tuple[warm.Start, TrainConfig]]:
    """Begin a run with these settings."""

    def start(*settings: str) -> tuple[warm.Start, TrainConfig]:
        line = [f"data.root={photo_folder}", "data.size=64", "data.val_photos=2", "loss.weights=random", *settings]
        config = app.compose("train", line)
        painting = style.load(config.style)
        loss = PerceptualLoss(config.loss, vgg_weights.load(config.loss.weights, config.loss.network), painting.pixels)
        torch.manual_seed(config.seed)
        return warm.start(config, loss, photos.split(config.data)[1]), config

    return start


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.flatten() for weight in network.state_dict().values()])


def test_a_network_of_the_zoo_by_its_name(begin: Callable[..., tuple[warm.Start, TrainConfig]]) -> None:
    begun, _ = begin("init=zoo/udnie", "model=tiny")
    expected, _ = checkpoint.load(FOLDER_OF_ZOO / "udnie" / "tiny.safetensors")
    assert torch.equal(weights(begun.network), weights(expected))
    assert begun.origin is not None and begun.origin["name"] == "zoo/udnie"
    with pytest.raises(RequestError, match=r"init=zoo/udnie holds another network; .*model=mobile .*model.width=1.0"):
        begin("init=zoo/udnie", "model=mobile", "model.width=0.5")
    with pytest.raises(RequestError, match="zoo/nobody is not in the zoo"):
        begin("init=zoo/nobody")


def test_auto_takes_the_network_whose_pictures_are_nearest(
    begin: Callable[..., tuple[warm.Start, TrainConfig]],
) -> None:
    """The paintings of the zoo are not at hand here, so each network's own picture of a photo serves as one."""
    begun, config = begin("init=auto", "model=tiny")
    assert begun.origin is not None
    held_out = photos.split(config.data)[1]
    crops, *_ = photos.validation_crops(held_out, config.data.size)
    pixels = photos.to_pixels(crops[:1], torch.device("cpu"))
    loss_weights = vgg_weights.load("random", "vgg16")
    for name in zoo.names():
        network, _ = checkpoint.load(FOLDER_OF_ZOO / name / "tiny.safetensors")
        with torch.no_grad():
            painting = network(pixels)
        config.loss.content_weight = 0.0
        config.data.val_photos = 1
        found = warm.start(config, PerceptualLoss(config.loss, loss_weights, painting), held_out)
        assert found.origin is not None and found.origin["name"] == f"zoo/{name}"


def test_auto_without_a_network_of_that_kind_is_new(begin: Callable[..., tuple[warm.Start, TrainConfig]]) -> None:
    for settings in (("model=johnson", "model.width=0.25"), ("model=tiny", "model.width=2"), ("init=null",)):
        begun, _ = begin("init=auto", "model=tiny", *settings)
        assert begun.origin is None


def test_the_card_says_where_a_network_came_from(
    photo_folder: Path, tmp_path: Path, impasto: Callable[..., Run]
) -> None:
    run = tmp_path / "run"
    line = [f"data.root={photo_folder}", "data.size=32", "data.val_size=32", "data.val_photos=1", "data.workers=0"]
    line += ["loss.weights=random", "trainer.steps=1", "trainer.batch=1", "device=cpu", "style.size=64"]
    done = impasto("train", *line, "init=zoo/udnie", "model=tiny", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    assert "starting from zoo/udnie" in done.stderr
    with safe_open(next(run.glob("*.safetensors")), framework="pt") as file:
        card = json.loads(file.metadata()["card"])
    assert card["init"]["name"] == "zoo/udnie"
    assert len(card["init"]["sha256"]) == 64


def test_short_budgets_start_from_the_zoo() -> None:
    assert app.compose("train", ["data.root=.", "experiment=short"]).init == "auto"
    assert app.compose("train", ["data.root=."]).init is None
