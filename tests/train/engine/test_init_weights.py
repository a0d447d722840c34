import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint, zoo
from impasto.models.card import Card
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet
from impasto.models.vgg import weights as vgg_weights
from impasto.train.data import dataset, style_image
from impasto.train.engine import init_weights, paintings
from tests.helpers.commands import Run
from tests.helpers.networks import CARD, MODELS
from tests.helpers.stores import card_of, store_of

FOLDER_OF_ZOO = zoo.FOLDER
SIZE = 64


@pytest.fixture
def load_weights(photo_folder: Path) -> Callable[..., tuple[init_weights.InitialWeights, TrainConfig]]:
    """Load the initial weights of a run with these settings."""

    def start(*settings: str) -> tuple[init_weights.InitialWeights, TrainConfig]:
        line = [
            f"data.root={photo_folder}",
            "style.size=64",
            "loss=johnson",
            "data.val_photos=2",
            "loss.weights=random",
        ]
        line += settings
        config = app.compose("train", line)
        weights = vgg_weights.load(config.loss.weights, config.loss.network)
        learned = paintings.load(style_image.paintings(config.style), config.loss, weights)
        torch.manual_seed(config.seed)
        return init_weights.load(config, learned, dataset.split(config.data)[1], SIZE), config

    return start


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.flatten() for weight in network.state_dict().values()])


@pytest.mark.slow
def test_load_zoo_reference_returns_its_network(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]],
) -> None:
    initial, _ = load_weights("init=zoo/udnie", "model=tiny")
    expected, _ = checkpoint.load(FOLDER_OF_ZOO / "udnie" / "tiny.safetensors")
    assert torch.equal(weights(initial.network), weights(expected))
    assert initial.origin is not None and initial.origin.name == "zoo/udnie"
    with pytest.raises(UsageError, match=r"init=zoo/udnie has another architecture .*model=mobile .*model.width=1.0"):
        load_weights("init=zoo/udnie", "model=mobile", "model.width=0.5")
    with pytest.raises(UsageError, match="zoo/nobody is not in the zoo"):
        load_weights("init=zoo/nobody")


@pytest.mark.slow
def test_load_takes_the_weights_of_one_pass_for_several(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]],
) -> None:
    expected, _ = checkpoint.load(FOLDER_OF_ZOO / "woman_with_hat" / "mobile.safetensors")
    initial, _ = load_weights("init=zoo/woman_with_hat/mobile", "model=studio")
    assert torch.equal(weights(initial.network), weights(expected))
    assert isinstance(initial.network, TransformNet) and (initial.network.passes, initial.network.stride) == (3, 32)
    tiny, _ = load_weights("init=zoo/woman_with_hat", "model=tiny", "model.passes=2")
    assert isinstance(tiny.network, TransformNet) and (tiny.network.passes, tiny.network.stride) == (2, 16)
    with pytest.raises(UsageError, match="zoo/woman_with_hat/tiny contradicts model=mobile"):
        load_weights("init=zoo/woman_with_hat/tiny", "model=studio")


def nearest_to(network: TransformNet, config: TrainConfig) -> init_weights.InitialWeights:
    """The initial weights of a run whose painting is the network's own picture of the only validation photo."""
    config.data.val_photos = 1
    val_photos = dataset.split(config.data)[1]
    crops, *_ = dataset.validation_crops(val_photos, SIZE)
    with torch.no_grad():
        painting = network(dataset.to_pixels(crops[:1], torch.device("cpu")))
    config.loss.content_weight = 0.0
    loss = PerceptualLoss(config.loss, vgg_weights.load("random", "vgg16"), painting)
    return init_weights.load(config, [paintings.Painting(config.style, "", painting, loss)], val_photos, SIZE)


@pytest.mark.slow
def test_load_auto_returns_network_with_lowest_loss(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]],
) -> None:
    """Each network's own picture of a photo replaces its painting, which is not available here."""
    initial, config = load_weights("init=auto", "model=tiny")
    assert initial.origin is not None
    for name in (name for name in zoo.names() if "tiny" in zoo.models(name)):
        network, _ = checkpoint.load(FOLDER_OF_ZOO / name / "tiny.safetensors")
        nearest = nearest_to(network, config)
        assert nearest.origin is not None and nearest.origin.name == f"zoo/{name}"


@pytest.mark.slow
def test_load_auto_takes_the_nearest_style_of_the_store_of_the_zoo(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, single = store_of("tiny"), store_of("tiny", seed=1).network(0)
    for name in ("single", zoo.STORE):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tiny.onnx").touch()
    checkpoint.save(tmp_path / zoo.STORE / "tiny.safetensors", store, card_of("tiny"))
    checkpoint.save(
        tmp_path / "single" / "tiny.safetensors", single, Card.from_json({"model": vars(MODELS["tiny"])} | CARD)
    )
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    _, config = load_weights("init=auto", "model=tiny", "model.blocks=3")
    for index in range(3):
        nearest = nearest_to(store.network(index), config)
        assert nearest.origin is not None and nearest.origin.name == "zoo/store"
        assert torch.equal(weights(nearest.network), weights(store.network(index)))
    nearest = nearest_to(single, config)
    assert nearest.origin is not None and nearest.origin.name == "zoo/single"


@pytest.mark.slow
def test_load_store_gives_each_painting_the_norms_of_its_name_or_the_nearest(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]], tmp_path: Path
) -> None:
    store, path = store_of("tiny"), tmp_path / "store.safetensors"
    checkpoint.save(path, store, card_of("tiny"))
    for name in ("second", "other"):
        Image.new("RGB", (64, 64), "red").save(tmp_path / f"{name}.png")
    line = [f"init={path}", "model=tiny", "model.blocks=3"]
    paintings_of_run = f"style=[{tmp_path / 'second.png'},{tmp_path / 'other.png'}]"
    initial, _ = load_weights(*line, paintings_of_run)
    assert isinstance(initial.network, Store) and initial.base_store is None
    assert np.array_equal(initial.network.norms(0), store.norms(1))
    assert any(np.array_equal(initial.network.norms(1), store.norms(index)) for index in range(3))
    single, _ = load_weights(*line, f"style={tmp_path / 'second.png'}")
    assert isinstance(single.network, TransformNet)
    assert torch.equal(weights(single.network), weights(store.network(1)))
    added, _ = load_weights(*line, f"style={tmp_path / 'other.png'}", "freeze=all_but_norms")
    assert isinstance(added.network, Store) and added.base_store is not None
    assert added.base_store.names == ["first", "second", "third"] and len(added.network.networks) == 4
    assert added.network.trunk_sha256 == store.trunk_sha256
    with pytest.raises(UsageError, match="a style of the name second already; give another style"):
        load_weights(*line, f"style={tmp_path / 'second.png'}", "freeze=all_but_norms")
    with pytest.raises(UsageError, match="a style of the name second already; rename the file"):
        load_weights(*line, f"style=[{tmp_path / 'second.png'},{tmp_path / 'other.png'}]", "freeze=all_but_norms")
    copies, _ = load_weights("init=zoo/udnie", "model=tiny", paintings_of_run)
    assert isinstance(copies.network, Store)
    assert np.array_equal(copies.network.norms(0), copies.network.norms(1))


@pytest.mark.slow
def test_load_auto_without_candidate_returns_random_weights(
    load_weights: Callable[..., tuple[init_weights.InitialWeights, TrainConfig]],
) -> None:
    for settings in (("model=johnson", "model.width=0.25"), ("model=tiny", "model.width=2"), ("init=null",)):
        initial, _ = load_weights("init=auto", "model=tiny", *settings)
        assert initial.origin is None
    with pytest.raises(UsageError, match=r"freeze=all_but_norms would keep random weights: the zoo has no network"):
        load_weights("init=auto", "model=tiny", "model.width=2", "freeze=all_but_norms")


def test_train_init_is_logged_and_recorded_in_card(
    photo_folder: Path, tmp_path: Path, impasto: Callable[..., Run]
) -> None:
    run = tmp_path / "run"
    line = [f"data.root={photo_folder}", "data.size=32", "data.val_size=32", "data.val_photos=1", "data.workers=0"]
    line += [
        "loss=johnson",
        "loss.weights=random",
        "trainer.steps=1",
        "trainer.batch_size=1",
        "device=cpu",
        "style.size=64",
    ]
    done = impasto("train", *line, "init=zoo/udnie", "model=tiny", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    assert "starting from zoo/udnie" in done.stderr
    with safe_open(next(run.glob("*.safetensors")), framework="pt") as file:
        card = json.loads(file.metadata()["card"])
    assert card["init"]["name"] == "zoo/udnie"
    assert len(card["init"]["sha256"]) == 64


def test_compose_by_default_starts_from_zoo() -> None:
    assert app.compose("train", ["data.root=."]).init == "auto"
