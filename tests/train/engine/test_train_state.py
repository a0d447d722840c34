import csv
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.schema.train import TrainerConfig
from impasto.models import checkpoint
from impasto.models.card import LossCard, OriginCard, StyleCard
from impasto.train.engine import train_state
from tests.helpers import kill_nine
from tests.helpers.checkpoints import same_weights
from tests.helpers.commands import TINY, Run
from tests.helpers.networks import CARD

Impasto = Callable[..., Run]


def linear(fill: float = 1.0) -> dict[str, torch.nn.Module]:
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(layer.weight, fill)
    return {"network": layer}


def optimizer(modules: dict[str, torch.nn.Module]) -> torch.optim.Optimizer:
    return torch.optim.Adam(modules["network"].parameters())


@pytest.mark.slow
def test_train_killed_at_random_moments_ends_with_same_weights(tmp_path: Path, photo_folder: Path) -> None:
    line = [*TINY, f"data.root={photo_folder}", "trainer.steps=120", "trainer.checkpoint_every=2"]
    line += ["trainer.validate_every=20", "trainer.sample_every=1000"]
    whole = kill_nine.start(tmp_path / "whole", line)
    whole.join()
    assert whole.exitcode == 0, kill_nine.log_file(tmp_path / "whole").read_text()
    killed_at = kill_nine.kill_often(tmp_path / "killed", line, kills=2, seed=3, seconds=(0.3, 3))
    assert killed_at[0] > "step_00000000"
    assert kill_nine.differences(tmp_path / "whole", tmp_path / "killed") == []


def test_save_on_full_disk_leaves_previous_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, modules = train_state.path(tmp_path, 3), linear()
    train_state.save(path, modules, optimizer(modules), train_state.TrainState(3))
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        train_state.save(path, modules, optimizer(modules), train_state.TrainState(4))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["cut", "emptied", "one bit", "one bit of the format"])
def test_load_newest_damaged_state_returns_the_one_before(tmp_path: Path, damage: str) -> None:
    for step, fill in ((3, 3.0), (6, 6.0)):
        modules = linear(fill)
        train_state.save(train_state.path(tmp_path, step), modules, optimizer(modules), train_state.TrainState(step))
    path = train_state.path(tmp_path, 6)
    data = bytearray(path.read_bytes())
    data[-9] ^= 1  # in the numbers: the header and every length stay right
    other = path.read_bytes().replace(b"impasto-resume-3", b"impasto-resume-2")
    damaged = {"cut": bytes(data[:-20]), "emptied": b"", "one bit": bytes(data), "one bit of the format": other}
    path.write_bytes(damaged[damage])
    modules = linear()
    state, messages = train_state.load_newest(tmp_path, modules, optimizer(modules))
    assert (state.step, state.unsaved) == (3, False)
    assert torch.equal(next(modules["network"].parameters()), torch.full((2, 2), 3.0))
    (message,) = messages
    assert message.startswith(f"{path} is damaged")
    assert message.endswith("; resuming from step_00000003.state, the state before it")
    train_state.path(tmp_path, 3).write_bytes(b"")
    with pytest.raises(UsageError, match=r"6\.state is damaged.* and .*3\.state is damaged .*init="):
        train_state.load_newest(tmp_path, modules, optimizer(modules))


def test_load_newest_missing_or_foreign_state_raises(tmp_path: Path) -> None:
    modules = linear()
    state, messages = train_state.load_newest(tmp_path, modules, optimizer(modules))
    assert state == train_state.TrainState()
    assert "starting from the beginning" in messages[0]
    (tmp_path / "step_00000003.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match="contains checkpoints but no state"):
        train_state.load_newest(tmp_path, modules, optimizer(modules))
    train_state.save(train_state.path(tmp_path, 3), modules, optimizer(modules), train_state.TrainState(3))
    other: dict[str, torch.nn.Module] = {"network": torch.nn.Linear(3, 2)}
    with pytest.raises(UsageError, match="belongs to another network"):
        train_state.load_newest(tmp_path, other, optimizer(other))


def test_resume_beside_damaged_state_ends_with_same_weights(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    """The run resumes from the state before, and replaces the newer checkpoint."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    state = train_state.path(run, 6)
    state.write_bytes(state.read_bytes()[:500])
    (run / ".0123456789abcdef.part").write_bytes(b"half of a state, when it was killed")
    done = impasto("train", f"resume={run}", "trainer.checkpoint_every=5")
    assert done.returncode == 0, done.stderr
    assert "step_00000006.state is damaged" in done.stderr
    assert "resuming from step_00000003.state" in done.stderr
    assert same_weights(run, tiny_run)
    names = sorted(path.name for path in run.glob("step_*"))
    assert names == [f"step_0000000{step}.{kind}" for step in (5, 6) for kind in ("safetensors", "state")]
    assert not [*run.glob(".*.part")]


def test_resume_run_with_init_ends_with_same_weights_and_origin(
    tiny_run: Path, tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """Whether it was stopped before its first state or after it."""
    whole, line = tmp_path / "whole", [*TINY, f"data.root={photo_folder}", f"init={checkpoint.path(tiny_run, 6)}"]
    assert impasto("train", *line, f"hydra.run.dir={whole}").returncode == 0
    card = checkpoint.load(checkpoint.path(whole, 6))[1]
    assert card.init is not None and card.init.name == "step_00000006.safetensors"
    for name, retained in (("before", ()), ("after", ("step_00000003.safetensors", "step_00000003.state"))):
        run = shutil.copytree(whole, tmp_path / name)
        for file in (*run.glob("step_*"), *run.glob("best.*"), *run.glob("last.*")):
            if file.name not in retained:
                file.unlink()
        done = impasto("train", f"resume={run}")
        assert done.returncode == 0, done.stderr
        assert same_weights(run, whole)
        assert checkpoint.load(checkpoint.path(run, 6))[1].init == card.init


def test_resume_missing_checkpoint_of_last_state_is_written(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    """A run can be killed between saving its last state and its last checkpoint."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    last = checkpoint.path(run, 6)
    card = checkpoint.load(last)[1]
    last.unlink()
    done = impasto("train", f"resume={run}")
    assert done.returncode == 0, done.stderr
    assert same_weights(run, tiny_run)
    assert checkpoint.load(last)[1] == card
    assert impasto("train", f"resume={run}").returncode == 2


def test_resume_truncated_settings_exits_with_one_sentence(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / ".hydra" / "overrides.yaml").write_text("")
    done = impasto("train", f"resume={run}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "overrides.yaml is empty" in done.stderr


def test_resume_retains_rows_and_skipped_photos(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with (run / "metrics.csv").open("a") as file:
        file.write("7,14,1.5,9e")  # a row that a kill truncated
    (run / "skipped.txt").write_text("bad.jpg is damaged\n")
    done = impasto("train", f"resume={run}", "trainer.steps=8")
    assert done.returncode == 0, done.stderr
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows if row["total"]] == [2, 4, 6, 8]
    assert (run / "skipped.txt").read_text() == "bad.jpg is damaged\n"
    config = (run / ".hydra" / "config.yaml").read_text()
    assert "steps: 8" in config


def test_train_on_full_disk_retains_last_state(tiny_run: Path, tmp_path: Path) -> None:
    """A limit on file sizes simulates the full disk: writing a state fails midway."""
    resource = pytest.importorskip("resource")
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.glob("step_*")}
    room = train_state.path(run, 6).stat().st_size // 2
    done = subprocess.run(
        [kill_nine.SCRIPT, f"resume={run}", "trainer.steps=9"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert "has no space left to save to (file too large); the last state is step_00000006.state" in sentence
    assert f"resume with: impasto-train resume={run}" in sentence
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert {path: path.read_bytes() for path in run.glob("step_*")} == before
    assert not list(run.glob(".*.part"))


@pytest.fixture
def budget() -> TrainerConfig:
    return app.compose("train", [*TINY, "data.root=."]).trainer


def test_train_state_json_has_no_transient_fields(budget: TrainerConfig) -> None:
    state = train_state.TrainState(2, stop_requested=False)
    state.advance(5.0, True)
    assert (state.step, state.seconds, state.stop_requested, state.unsaved) == (3, 5.0, True, True)
    assert {*state.to_json()} == {
        *(
            "step",
            "seconds",
            "validation",
            "calibrated_style_weight",
            "recent_losses",
            "rollbacks",
            "identity",
            "origin",
            "stages",
            "stage_starts",
        )
    }
    assert state.fraction(budget) == 0.5
    assert train_state.TrainState(9).fraction(budget) == 1.0


@pytest.mark.parametrize(
    ("step", "stop", "due"), [(4, False, True), (5, False, False), (5, True, True), (6, False, True)]
)
def test_train_state_is_due_every_n_steps_and_at_the_end(
    budget: TrainerConfig, step: int, stop: bool, due: bool
) -> None:
    assert train_state.TrainState(step, stop_requested=stop).is_due(4, budget) == due


def test_train_state_survives_its_json() -> None:
    calibrated = train_state.CalibratedStyleWeight(LossCard.from_json(CARD["loss"]), "5e", 256)
    state = train_state.TrainState(3, 1.5, origin=OriginCard("a", "5e"), calibrated_style_weight=calibrated)
    values = json.loads(json.dumps(state.to_json()))
    assert values["calibrated_style_weight"]["style_weight"] == 5.0
    assert values["calibrated_style_weight"]["for"][1] == {"sha256": "5e", "size": 256}
    assert "style_weight" not in values["calibrated_style_weight"]["for"][0]
    state.unsaved = False
    assert train_state.TrainState.from_json(values) == state
    plain = train_state.TrainState.from_json(json.loads(json.dumps(train_state.TrainState().to_json())))
    assert plain.calibrated_style_weight is None and plain.origin is None


def test_calibrated_style_weight_is_valid_for_the_same_settings_and_style_image() -> None:
    loss, style = LossCard.from_json(CARD["loss"]), StyleCard.from_json(CARD["style"])
    calibrated = train_state.CalibratedStyleWeight(replace(loss, style_weight=8.0), style.sha256, style.size)
    assert calibrated.is_valid_for(loss, replace(style, name="other"))
    assert not calibrated.is_valid_for(replace(loss, style_strength=2.0), style)
    for other in (replace(style, sha256="6f"), replace(style, size=128)):
        assert not calibrated.is_valid_for(loss, other)
