"""Fixtures for the tests of exported files: small networks, and their files, each written once."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from impasto.export.coreml import exporter as coreml_exporter
from impasto.models import checkpoint, onnx_writer, transform_net
from impasto.models.card import Card
from impasto.models.contract import Label
from tests.helpers.bundles import SETTINGS, Written
from tests.helpers.commands import Run
from tests.helpers.networks import BUNDLE_GRAIN, BUNDLE_STROKES, CARD, LABEL, MODELS, SHAPES, TRAINED, Build
from tests.helpers.onnx_models import model
from tests.helpers.shared import shared


@pytest.fixture(scope="session")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that honors the contract, inverts colors and passes alpha."""
    return model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="session")
def build() -> Build:
    """A seeded network; all weights of its instance norms differ, so that an omitted one changes the output."""

    def network(name: str) -> transform_net.TransformNet:
        torch.manual_seed(0)
        result = transform_net.build(MODELS[name])
        with torch.no_grad():
            for weight in result.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.3 if weight.dim() == 1 else 0.02)
        return result.eval()

    return network


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the trained network, with a card for tests."""

    def make(folder: Path) -> None:
        network, card = checkpoint.load(TRAINED)
        style = CARD["style"] | {"stroke_resolution": BUNDLE_STROKES, "grain": BUNDLE_GRAIN}
        checkpoint.save(
            folder / "network.safetensors", network, Card.from_json(card.to_json() | CARD | {"style": style})
        )

    return shared(tmp_path_factory, "checkpoint", make) / "network.safetensors"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Written:
    """The ONNX file of a network: written("johnson", "uint8_rgba")."""

    def file(name: str, io: str) -> Path:
        def make(folder: Path) -> None:
            onnx_writer.write(build(name), folder / f"{name}_{io}.onnx", io, LABEL)

        return shared(tmp_path_factory, f"onnx_{name}_{io}", make) / f"{name}_{io}.onnx"

    return file


@pytest.fixture(scope="session")
def trained_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of a trained network: the loss by compression is realistic for no other."""

    def make(folder: Path) -> None:
        network, card = checkpoint.load(TRAINED)
        onnx_writer.write(network.eval(), folder / "model.onnx", "uint8_rgba", Label.of(card))

    return shared(tmp_path_factory, "trained", make) / "model.onnx"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Path:
    """The Core ML package of the mobile network, 96 wide and 64 high."""

    def make(folder: Path) -> None:
        coreml_exporter.write(build("mobile"), folder / "Model.mlpackage", 64, 96, LABEL)

    return shared(tmp_path_factory, "coreml", make) / "Model.mlpackage"


@pytest.fixture(scope="session")
def trained() -> transform_net.TransformNet:
    """A network that was trained (tests/assets/make_network.py)."""
    return checkpoint.load(TRAINED)[0]


@pytest.fixture(scope="session")
def exploding(trained: transform_net.TransformNet) -> transform_net.TransformNet:
    """The trained network, with values before its instance norms that overflow fp16."""
    network = copy.deepcopy(trained)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:  # all but the last
                module.weight.mul_(30_000)
    return network


@pytest.fixture(scope="session")
def packages(
    tmp_path_factory: pytest.TempPathFactory, trained: transform_net.TransformNet
) -> tuple[Path, dict[str, coreml_exporter.Package]]:
    """The folder of all Core ML packages of the trained network, and their descriptions by name."""

    def make(folder: Path) -> None:
        (folder / "ios").mkdir()
        written = coreml_exporter.write_all(trained, folder / "ios", SHAPES, LABEL)
        (folder / "packages.pickle").write_bytes(pickle.dumps({package.name: package for package in written}))

    folder = shared(tmp_path_factory, "ios", make)
    return folder / "ios", pickle.loads((folder / "packages.pickle").read_bytes())


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, saved: Path, impasto: Callable[..., Run]) -> tuple[Path, Run]:
    """A bundle that impasto-export wrote of the trained network, and the completed command."""

    def make(folder: Path) -> None:
        line = "export", f"checkpoint={saved}", "output=exported/swirls", *SETTINGS
        (folder / "run.pickle").write_bytes(pickle.dumps(impasto(*line, cwd=folder, timeout=550)))

    folder = shared(tmp_path_factory, "bundles", make)
    return folder / "exported" / "swirls", pickle.loads((folder / "run.pickle").read_bytes())
