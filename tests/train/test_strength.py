"""loss.strength from the command to the card, and from there to impasto-evaluate and a resumed run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.configs import app
from impasto.models import checkpoint, strength, vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.train import photos, style
from tests.conftest import TINY, Run

Impasto = Callable[..., Run]
LINE = (*TINY, "data.val_size=64", "loss.strength=0.5")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, impasto: Impasto) -> tuple[Path, str]:
    """The directory of a tiny run with a strength, and what it said; not to be changed."""
    directory = tmp_path_factory.mktemp("strength") / "run"
    ended = impasto("train", *LINE, f"data.root={photo_folder}", f"hydra.run.dir={directory}")
    assert ended.returncode == 0, ended.stderr
    return directory, ended.stderr


def card(directory: Path) -> dict[str, Any]:
    return checkpoint.load(max(directory.glob("*.safetensors")))[1]


def test_the_raw_weight_is_measured_on_held_out_photos_and_recorded(done: tuple[Path, str], photo_folder: Path) -> None:
    directory, said = done
    settings = card(directory)["loss"]
    assert settings["strength"] == 0.5
    assert said.startswith(f"strength 0.5 gives style_weight {settings['style_weight']:.3g}\n")
    config = app.compose("train", [*LINE, f"data.root={photo_folder}"])
    loss = PerceptualLoss(config.loss, vgg_weights.load("random"), style.load(config.style).pixels)
    crops, *_ = photos.validation_crops(photos.split(config.data)[1], 32)  # as large as the crops to train on
    pixels = [photos.to_pixels(crop, torch.device("cpu")) for crop in crops.split(1)]
    assert settings["style_weight"] == pytest.approx(strength.style_weight(loss, pixels, 32), rel=1e-4)
    assert settings["style_weight"] != pytest.approx(config.loss.style_weight, rel=0.01)


def test_evaluation_takes_the_raw_weight(
    done: tuple[Path, str], photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    """On the photos that were held out the network has the losses that the card says."""
    trained = card(done[0])
    config = app.compose("train", [*LINE, f"data.root={photo_folder}"])
    held_out = tmp_path / "held_out"
    held_out.mkdir()
    for name in photos.split(config.data)[1].names:
        shutil.copy(photo_folder / name, held_out)
    ended = impasto(
        *("evaluate", f"checkpoint={max(done[0].glob('*.safetensors'))}", f"photos={held_out}", "weights=random"),
        *("evaluate.sizes=[64]", "evaluate.iterations=2", f"output={tmp_path}", f"cache={tmp_path / 'cache'}"),
    )
    assert ended.returncode == 0, ended.stderr
    facts = json.loads((tmp_path / "evaluation.json").read_text())
    assert facts["loss"] == trained["loss"]
    for name in ("content", "style"):
        mean = np.mean([row["losses"][name] for row in facts["photos"]])
        assert mean == pytest.approx(trained["validation"][-1][name], rel=1e-3)


def test_a_resumed_run_keeps_its_raw_weight(
    done: tuple[Path, str], photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    """Whatever photos are held out by then; another strength is measured, on those."""
    run, others = shutil.copytree(done[0], tmp_path / "run"), tmp_path / "others"
    others.mkdir()
    for number in range(2):
        Image.effect_noise((80, 80), 90).convert("RGB").save(others / f"{number}.png")
    before = card(run)["loss"]["style_weight"]
    longer = impasto("train", f"resume={run}", "trainer.steps=7", f"data.val_root={others}")
    assert longer.returncode == 0, longer.stderr
    assert f"strength 0.5 gives style_weight {before:.3g}\n" in longer.stderr
    assert card(run)["loss"]["style_weight"] == before
    other = impasto("train", f"resume={run}", "trainer.steps=8", "loss.strength=1")
    assert other.returncode == 0, other.stderr
    assert card(run)["loss"]["strength"] == 1
    for factor in (1, 2):
        assert card(run)["loss"]["style_weight"] != pytest.approx(factor * before, rel=0.01)
    again = impasto("train", f"resume={run}", "trainer.steps=9")
    assert again.returncode == 0, again.stderr
    assert f"strength 1 gives style_weight {card(run)['loss']['style_weight']:.3g}\n" in again.stderr
