import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.configs.cli import app
from impasto.models import checkpoint
from impasto.models.card import Card, LossCard
from impasto.models.losses import style_strength
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data import dataset, style_image
from tests.helpers.commands import TINY, Run

Impasto = Callable[..., Run]
LINE = (*TINY, "data.val_size=64", "loss.style_strength=0.5")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, impasto: Impasto) -> tuple[Path, str]:
    """The directory and stderr of a tiny run with a style_strength; tests must not change it."""
    directory = tmp_path_factory.mktemp("strength") / "run"
    ended = impasto("train", *LINE, f"data.root={photo_folder}", f"hydra.run.dir={directory}")
    assert ended.returncode == 0, ended.stderr
    return directory, ended.stderr


def card(directory: Path) -> Card:
    return checkpoint.load(max(directory.glob("*.safetensors")))[1]


def loss_card(directory: Path) -> LossCard:
    loss = card(directory).loss
    assert loss is not None
    return loss


def test_calibrate_records_weight_measured_on_validation_photos(done: tuple[Path, str], photo_folder: Path) -> None:
    directory, stderr = done
    settings = loss_card(directory)
    assert settings.style_strength == 0.5
    assert f"strength 0.5 gives style_weight {settings.style_weight:.3g}" in stderr.splitlines()
    config = app.compose("train", [*LINE, f"data.root={photo_folder}"])
    loss = PerceptualLoss(config.loss, weights.load("random"), style_image.load(config.style).pixels)
    crops, *_ = dataset.validation_crops(dataset.split(config.data)[1], 32)  # as large as the crops to train on
    pixels = [dataset.to_pixels(crop, torch.device("cpu")) for crop in crops.split(1)]
    assert settings.style_weight == pytest.approx(style_strength.style_weight(loss, pixels, 32), rel=1e-4)
    assert settings.style_weight != pytest.approx(config.loss.style_weight, rel=0.01)


def test_calibrate_with_a_window_smaller_than_the_crops_completes(
    photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    """With loss=strokes the content and style losses of training see the middle of each crop."""
    line = [*LINE, "loss=strokes", "loss.weights=random", "loss.window=32", "data.size=64", "trainer.steps=1"]
    ended = impasto("train", *line, f"data.root={photo_folder}", f"hydra.run.dir={tmp_path / 'run'}")
    assert ended.returncode == 0, ended.stderr
    settings = loss_card(tmp_path / "run")
    assert f"strength 0.5 gives style_weight {settings.style_weight:.3g}" in ended.stderr.splitlines()
    assert settings.style_weight != pytest.approx(6.0, rel=0.01)  # the preset's


def test_evaluate_uses_calibrated_weight(
    done: tuple[Path, str], photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    """On the validation photos the network has the losses of its card."""
    trained = card(done[0])
    config = app.compose("train", [*LINE, f"data.root={photo_folder}"])
    val_photos = tmp_path / "val_photos"
    val_photos.mkdir()
    for name in dataset.split(config.data)[1].names:
        shutil.copy(photo_folder / name, val_photos)
    ended = impasto(
        *("evaluate", f"checkpoint={max(done[0].glob('*.safetensors'))}", f"photos={val_photos}", "weights=random"),
        *(
            "evaluate.sizes=[64]",
            "evaluate.display=null",
            "evaluate.iterations=2",
            f"output={tmp_path}",
            f"cache={tmp_path / 'cache'}",
        ),
    )
    assert ended.returncode == 0, ended.stderr
    facts = json.loads((tmp_path / "evaluation.json").read_text())
    assert facts["loss"] == trained.to_json()["loss"]
    for name in ("content", "style"):
        mean = np.mean([row["losses"][name] for row in facts["photos"]])
        assert mean == pytest.approx(trained.validation[-1][name], rel=1e-3)


def test_resume_retains_calibrated_weight_until_strength_changes(
    done: tuple[Path, str], photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    """Other validation photos do not change the weight, and another strength is another loss."""
    run, others = shutil.copytree(done[0], tmp_path / "run"), tmp_path / "others"
    others.mkdir()
    for number in range(2):
        Image.effect_noise((80, 80), 90).convert("RGB").save(others / f"{number}.png")
    before = loss_card(run).style_weight
    longer = impasto("train", f"resume={run}", "trainer.steps=7", f"data.val_root={others}")
    assert longer.returncode == 0, longer.stderr
    assert f"strength 0.5 gives style_weight {before:.3g}\n" in longer.stderr
    assert loss_card(run).style_weight == before
    other = impasto("train", f"resume={run}", "trainer.steps=8", "loss.style_strength=1")
    assert other.returncode == 2
    assert "cannot change loss.style_strength from 0.5 to 1, since" in other.stderr
    again = impasto("train", f"resume={run}", "trainer.steps=9")
    assert again.returncode == 0, again.stderr
    assert loss_card(run).style_weight == before
