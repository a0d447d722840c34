"""The settings of the training that impasto-stylize refine= starts, and the command as a whole."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.cli.app import compose
from impasto.configs.errors import UsageError
from impasto.models import checkpoint, zoo
from impasto.train.commands import refine
from tests.helpers.commands import Run
from tests.helpers.stylize import noise, save

TINY = ("model=tiny", "loss=johnson", "loss.weights=random", "style.size=64", "data.size=32", "data.val_size=32")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, impasto: Callable[..., Run]) -> Path:
    """The run directory of a tiny network, trained on painting.png beside it."""
    folder = tmp_path_factory.mktemp("refine")
    save(folder / "painting.png", noise(80, 80))
    where = f"style={folder / 'painting.png'}", f"data.root={photo_folder}", f"hydra.run.dir={folder / 'run'}"
    impasto("train", *TINY, *where, "init=null", "trainer.steps=2", "loss.style_weight=7", cwd=folder)
    return folder / "run"


def _photo(folder: Path, side: int) -> Path:
    save(folder / "photo.png", noise(side, side + 9))
    return folder


def test_settings_take_the_loss_of_the_network_and_the_size_of_the_photo(run: Path, tmp_path: Path) -> None:
    (path,) = run.glob("step_*2.safetensors")
    arguments = path, str(run.parent / "painting.png"), _photo(tmp_path / "photos", 512), str(tmp_path / "new"), 30.0
    config = compose("train", refine.settings(*arguments))
    assert config.loss.style_weight == 7 and config.loss.normalization == "chw" and config.loss.weights == "random"
    assert config.style.size == 64 and config.init == str(path)
    assert config.data.size == refine.CROP and config.data.scale_range == [2, 2]
    assert config.trainer.minutes == 0.5


def test_settings_with_another_painting_are_refused(run: Path, tmp_path: Path) -> None:
    (path,) = run.glob("step_*2.safetensors")
    photos = _photo(tmp_path / "photos", 300)
    with pytest.raises(
        UsageError, match=r"^painting=.* is not the picture of painting that the network was trained on"
    ):
        refine.settings(path, str(photos / "photo.png"), photos, str(tmp_path / "new"), 30.0)


def test_settings_of_a_store_are_refused(tmp_path: Path) -> None:
    path = zoo.resolve(f"zoo/{zoo.STORE}", ".safetensors")
    with pytest.raises(UsageError, match="refine trains a network of one painting, and this is a store"):
        refine.settings(path, "painting.png", tmp_path, str(tmp_path / "new"), 30.0)


def test_stylize_with_refine_runs_a_network_that_was_trained_on_the_photo(
    run: Path, tmp_path: Path, impasto: Callable[..., Run]
) -> None:
    photo = _photo(tmp_path / "photos", 300) / "photo.png"
    before = checkpoint.path(run, 2).read_bytes()
    for name, more in (("plain.png", ()), ("refined.png", ("refine=2", f"painting={run.parent / 'painting.png'}"))):
        result = impasto("stylize", f"model={run}", f"input={photo}", f"output={tmp_path / name}", *more, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    plain, refined = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("plain.png", "refined.png"))
    assert plain.shape == refined.shape and np.abs(plain - refined).max() > 0
    assert checkpoint.path(run, 2).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "plain.png", "refined.png"]
