"""What the tests of exported files share: small networks with weights of every kind, and their files, written once."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from impasto.configs.app import compose
from impasto.configs.schema import ModelConfig
from impasto.export import coreml_file, onnx_file, stylize
from impasto.export.label import Label
from impasto.models import checkpoint, networks
from tests.conftest import Run
from tests.models.made_models import model

TRAINED = Path(__file__).parents[1] / "assets" / "swirls.safetensors"
SHAPES = (64, 96), (128, 128)  # of `packages`
MODELS = {
    "mobile": ModelConfig("mobile", 0.25, 1),
    "johnson": ModelConfig("johnson", 0.25, 1),
    "tiny": ModelConfig("tiny", 1.0, 3),
}
SETTINGS = "onnx.tile=160", "coreml.sizes=[96x64]", "measure.sizes=[64x48]", "measure.threads=[1]", "measure.repeats=1"
CARD: dict[str, dict[str, Any]] = {
    "style": {
        **{"name": "swirls", "artist": "Ünal", "licence": "CC0-1.0"},
        **{"sha256": "5e", "size": 256, "painter": "swirls", "seed": 6},
    },
    "loss": {"network": "vgg16", "style_layers": ["relu1_2"], "style_weight": 5.0},
    "training": {"steps": 7},
}

Build = Callable[[str], networks.Transformer]
Written = Callable[[str, str], Path]


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """A picture of noise, the same for the same size."""
    return np.random.default_rng(height * width).integers(0, 255, (height, width, channels), np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], **options: Any) -> Path:
    """Save a picture, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def ask(inverter: Path, source: Path, output: Path, *settings: str) -> None:
    """Call impasto-stylize."""
    lines = f"model={inverter}", f"input={source}", f"output={output}", "threads=1", *settings
    stylize.task(compose("stylize", lines))


@pytest.fixture(scope="session")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that honours the contract, inverts colours and passes alpha."""
    return model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="session")
def build() -> Build:
    """A seeded network; no two weights of its instance norms are the same, so that none can be left out unseen."""

    def network(name: str) -> networks.Transformer:
        torch.manual_seed(0)
        made = networks.build(MODELS[name])
        with torch.no_grad():
            for weight in made.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.3 if weight.dim() == 1 else 0.02)
        return made.eval()

    return network


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the trained network, with a card for tests."""
    path = tmp_path_factory.mktemp("checkpoint") / "network.safetensors"
    network, card = checkpoint.load(TRAINED)
    checkpoint.save(path, network, ModelConfig(**card["model"]), CARD)
    return path


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Written:
    """The ONNX file of a network: written("johnson", "pixels")."""
    folder = tmp_path_factory.mktemp("onnx")

    def file(name: str, io: str) -> Path:
        path = folder / f"{name}_{io}.onnx"
        if not path.exists():
            onnx_file.write(build(name), path, io, Label.of(CARD))
        return path

    return file


@pytest.fixture(scope="session")
def trained_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of a network that was really trained: what compression costs shows on no other."""
    network, card = checkpoint.load(TRAINED)
    path = tmp_path_factory.mktemp("trained") / "model.onnx"
    onnx_file.write(network.eval(), path, "pixels", Label.of(card))
    return path


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Path:
    """The Core ML package of the mobile network, 96 wide and 64 high."""
    path = tmp_path_factory.mktemp("coreml") / "Model.mlpackage"
    coreml_file.write(build("mobile"), path, 64, 96, Label.of(CARD))
    return path


@pytest.fixture(scope="session")
def trained() -> networks.Transformer:
    """A network that was trained (tests/assets/make_network.py)."""
    return checkpoint.load(TRAINED)[0]


@pytest.fixture(scope="session")
def exploding(trained: networks.Transformer) -> networks.Transformer:
    """The trained network, with numbers before its instance norms that fp16 does not have."""
    network = copy.deepcopy(trained)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:  # all but the last
                module.weight.mul_(30_000)
    return network


@pytest.fixture(scope="session")
def packages(
    tmp_path_factory: pytest.TempPathFactory, trained: networks.Transformer
) -> tuple[Path, dict[str, coreml_file.Package]]:
    """The folder of all Core ML packages of the trained network, and what they are, by name."""
    folder = tmp_path_factory.mktemp("ios")
    return folder, {package.name: package for package in coreml_file.write_all(trained, folder, SHAPES, Label.of(CARD))}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, saved: Path, impasto: Callable[..., Run]) -> tuple[Path, Run]:
    """A bundle of the trained network by impasto-export, and how the command ended."""
    folder = tmp_path_factory.mktemp("bundles")
    done = impasto("export", f"checkpoint={saved}", "output=made/swirls", *SETTINGS, cwd=folder)
    return folder / "made" / "swirls", done
