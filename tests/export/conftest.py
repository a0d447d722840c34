"""What the tests of exported files share: small networks with weights of every kind, and their files, written once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.configs.schema import ModelConfig
from impasto.export import coreml_file, onnx_file
from impasto.export.label import Label
from impasto.models import checkpoint, networks
from tests.conftest import Run

MODELS = {"mobile": ModelConfig("mobile", 0.25, 1), "johnson": ModelConfig("johnson", 0.25, 1)}
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
def saved(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Path:
    """The checkpoint of the mobile network."""
    path = tmp_path_factory.mktemp("checkpoint") / "network.safetensors"
    checkpoint.save(path, build("mobile"), MODELS["mobile"], CARD)
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
def package(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Path:
    """The Core ML package of the mobile network, 96 wide and 64 high."""
    path = tmp_path_factory.mktemp("coreml") / "Model.mlpackage"
    coreml_file.write(build("mobile"), path, 64, 96, Label.of(CARD))
    return path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, saved: Path, impasto: Callable[..., Run]) -> tuple[Path, Run]:
    """A bundle of the mobile network by impasto-export, and how the command ended."""
    folder = tmp_path_factory.mktemp("bundles")
    arguments = f"checkpoint={saved}", "output=made/swirls", "coreml.height=64", "coreml.width=96"
    return folder / "made" / "swirls", impasto("export", *arguments, cwd=folder)
