"""Training a store of styles, and adding a painting to it."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from impasto.models import checkpoint
from impasto.models.store import Store
from tests.helpers import kill_nine
from tests.helpers.checkpoints import same_weights
from tests.helpers.commands import TINY, Run
from tests.helpers.shared import shared

Impasto = Callable[..., Run]
NAMES = "dots", "lines", "waves"
STORE = *TINY, "loss.palette_weight=1", "loss.ema_decay=0.9"  # a loss with a state of each painting
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python")


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three paintings of other colors, and one more beside them."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(5)
        for name in (*NAMES, "new"):
            file = folder / ("paintings" if name in NAMES else "") / f"{name}.png"
            file.parent.mkdir(exist_ok=True)
            small = Image.fromarray(random.integers(0, 255, (9, 8, 3), np.uint8))
            small.resize((72, 64), Image.Resampling.NEAREST).save(file)

    return shared(tmp_path_factory, "paintings", make)


@pytest.fixture(scope="session")
def store_run(tmp_path_factory: pytest.TempPathFactory, paintings: Path, photo_folder: Path, impasto: Impasto) -> Path:
    """The directory of a finished run of a store; not to be changed."""

    def make(folder: Path) -> None:
        line = [*STORE, f"style={paintings / 'paintings'}", "style.name=all", f"data.root={photo_folder}"]
        done = impasto("train", *line, f"hydra.run.dir={folder / 'run'}")
        assert done.returncode == 0, done.stderr

    return shared(tmp_path_factory, "store", make) / "run"


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_train_store_leaves_card_losses_and_samples_of_each_painting(store_run: Path) -> None:
    network, card = checkpoint.load_any(store_run / "step_00000006.safetensors")
    assert isinstance(network, Store) and card.style is None
    assert card.store is not None and (card.store.name, card.store.names) == ("all", [*NAMES])
    assert len({style.sha256 for style in card.store.styles}) == 3
    assert {f"total/{name}" for name in NAMES} <= card.validation[-1].keys()
    last = card.validation[-1]
    assert last["total"] == pytest.approx(sum(last[f"total/{name}"] for name in NAMES) / 3)
    assert len({round(last[f"style/{name}"], 3) for name in NAMES}) == 3
    trained = [row for row in rows(store_run) if row["total"]]
    assert len([row for row in trained for name in NAMES if row[f"total/{name}"]]) >= 5  # two of three in each row
    names = {path.name for path in (store_run / "samples").iterdir()}
    assert names == {f"painting_{name}.png" for name in NAMES} | {"step_00000006", "step_00000006.png"}
    pictures = {path.name for path in (store_run / "samples" / "step_00000006").iterdir()}
    assert pictures == {"photo_0.png", *(f"stylized_{name}_0.png" for name in NAMES)}


def test_train_store_resumed_ends_with_same_weights(store_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = tmp_path / "run"
    shutil.copytree(store_run, run)
    for file in run.glob("step_00000006.*"):
        file.unlink()
    done = impasto("train", f"resume={run}")
    assert done.returncode == 0, done.stderr
    assert same_weights(store_run, run)
    _, card = checkpoint.load_any(run / "step_00000006.safetensors")
    assert card.validation == checkpoint.load_any(store_run / "step_00000006.safetensors")[1].validation


@pytest.mark.slow
def test_train_store_with_two_processes_logs_losses_of_one(
    store_run: Path, paintings: Path, photo_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "two"
    line = [*STORE, f"style={paintings / 'paintings'}", f"data.root={photo_folder}", f"hydra.run.dir={run}"]
    both = subprocess.run(
        [*TORCHRUN, str(kill_nine.SCRIPT), *line], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert both.returncode == 0, both.stderr
    for one, two in zip(rows(store_run), rows(run), strict=True):
        for name in ("total", "val_total", *(f"val_total/{name}" for name in NAMES)):
            assert float(two[name] or 0) == pytest.approx(float(one[name] or 0), rel=1e-3), name


def test_train_with_frozen_trunk_adds_a_painting_and_leaves_the_others(
    store_run: Path, paintings: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    store, run = store_run / "step_00000006.safetensors", tmp_path / "run"
    line = [*STORE, f"style={paintings / 'new.png'}", f"data.root={photo_folder}", f"init={store}"]
    done = impasto("train", *line, "freeze=all_but_norms", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    _, card = checkpoint.load_any(run / "step_00000006.safetensors")
    assert card.store is not None and (card.store.name, card.store.names) == ("all", [*NAMES, "new"])
    before, after = load_file(store), load_file(run / "step_00000006.safetensors")
    tables = [name for name, values in before.items() if values.dim() == 2]
    for name, values in before.items():
        assert torch.equal(after[name][: len(values)], values)
        assert len(after[name]) == len(values) + (name in tables)
    assert any(not torch.equal(after[name][3], after[name][i]) for i in range(3) for name in tables)
    resumed = tmp_path / "resumed"
    shutil.copytree(run, resumed)
    for file in resumed.glob("step_00000006.*"):
        file.unlink()
    done = impasto("train", f"resume={resumed}")
    assert done.returncode == 0, done.stderr
    assert same_weights(run, resumed)
    follow = tmp_path / "all"
    line[-1] = f"init={run / 'step_00000006.safetensors'}"
    done = impasto("train", *line, f"hydra.run.dir={follow}")
    assert done.returncode == 0, done.stderr
    _, card = checkpoint.load(follow / "step_00000006.safetensors")  # a network of one painting
    assert card.style is not None and card.style.name == "new" and card.init is not None


def test_train_with_frozen_trunk_of_a_single_network_learns_its_norms_alone(
    store_run: Path, paintings: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    network, card = checkpoint.load(store_run / "step_00000006.safetensors", "dots")
    single, run = tmp_path / "single.safetensors", tmp_path / "run"
    checkpoint.save(single, network, card)
    line = [*STORE, f"style={paintings / 'new.png'}", f"data.root={photo_folder}", f"init={single}"]
    done = impasto("train", *line, "freeze=all_but_norms", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    trained, card = checkpoint.load(run / "step_00000006.safetensors")  # a network of one painting
    assert card.style is not None and card.style.name == "new" and card.store is None
    norms, after = Store([network]).norm_names, trained.state_dict()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(after[name], value)}
    assert changed and changed <= {*norms}
    two = [*STORE, f"style=[{paintings / 'new.png'},{paintings / 'paintings' / 'waves.png'}]", *line[-2:]]
    done = impasto("train", *two, "freeze=all_but_norms", f"hydra.run.dir={tmp_path / 'two'}")
    assert done.returncode == 0, done.stderr
    pair, card = checkpoint.load_any(tmp_path / "two" / "step_00000006.safetensors")
    assert isinstance(pair, Store) and card.store is not None and card.store.names == ["new", "waves"]
    assert pair.trunk_sha256 == Store([network]).trunk_sha256


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["freeze=all_but_norms", "init=null"], ["freeze=all_but_norms", "init="]),
        (["style=PAINTINGS/dots.png", "freeze=all_but_norms", "init=STORE"], ["the name dots already", "style.name"]),
        (["style=PAINTINGS", "loss.style_strength=1"], ["loss.style_strength=1", "loss.style_weight"]),
        (["style=PAINTINGS", "style.grain=3"], ["style.grain=3", "omit it"]),
        (["style=PAINTINGS", "init=STORE", "model.width=0.5"], ["another architecture", "model.width=0.25"]),
    ],
)
def test_train_store_with_impossible_settings_raises_one_sentence(
    line: list[str], words: list[str], store_run: Path, paintings: Path, photo_folder: Path, impasto: Impasto
) -> None:
    store = store_run / "step_00000006.safetensors"
    filled = [text.replace("PAINTINGS", f"{paintings / 'paintings'}").replace("STORE", str(store)) for text in line]
    done = impasto("train", *TINY, f"data.root={photo_folder}", *filled)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr
