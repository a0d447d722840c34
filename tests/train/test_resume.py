import csv
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from impasto.configs.errors import RequestError
from impasto.models import checkpoint
from impasto.train import resume
from tests.conftest import TINY, Run
from tests.train import kill_nine

Impasto = Callable[..., Run]


def network(fill: float = 1.0) -> dict[str, torch.nn.Module]:
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(layer.weight, fill)
    return {"network": layer}


def optimizer(modules: dict[str, torch.nn.Module]) -> torch.optim.Optimizer:
    return torch.optim.Adam(modules["network"].parameters())


def test_killed_at_any_moment_a_run_ends_with_the_same_weights(tmp_path: Path, photo_folder: Path) -> None:
    line = [*TINY, f"data.root={photo_folder}", "trainer.steps=120", "trainer.checkpoint_every=2"]
    line += ["trainer.validate_every=20", "trainer.sample_every=1000"]
    whole = kill_nine.start(tmp_path / "whole", line)
    whole.join()
    assert whole.exitcode == 0, kill_nine.said(tmp_path / "whole").read_text()
    killed_at = kill_nine.kill_often(tmp_path / "killed", line, kills=2, seed=3, seconds=(0.3, 3))
    assert killed_at[0] > "step_00000000"
    assert kill_nine.differences(tmp_path / "whole", tmp_path / "killed") == []


def test_a_state_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, modules = resume.path(tmp_path, 3), network()
    resume.save(path, modules, optimizer(modules), resume.Progress(3))
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        resume.save(path, modules, optimizer(modules), resume.Progress(4))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["cut", "emptied", "one bit", "one bit of the format"])
def test_a_damaged_state_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    for step, fill in ((3, 3.0), (6, 6.0)):
        modules = network(fill)
        resume.save(resume.path(tmp_path, step), modules, optimizer(modules), resume.Progress(step))
    state = resume.path(tmp_path, 6)
    data = bytearray(state.read_bytes())
    data[-9] ^= 1  # in the numbers: the header and every length stay right
    other = state.read_bytes().replace(b"impasto-resume-2", b"impasto-resume-3")
    damaged = {"cut": bytes(data[:-20]), "emptied": b"", "one bit": bytes(data), "one bit of the format": other}
    state.write_bytes(damaged[damage])
    modules = network()
    progress, notes = resume.newest(tmp_path, modules, optimizer(modules))
    assert progress.step == 3
    assert torch.equal(next(modules["network"].parameters()), torch.full((2, 2), 3.0))
    (note,) = notes
    assert note.startswith(f"{state} is damaged")
    assert note.endswith("; going on from step_00000003.state, the state before it")
    resume.path(tmp_path, 3).write_bytes(b"")
    with pytest.raises(RequestError, match=r"6\.state is damaged.* and .*3\.state is damaged .*init="):
        resume.newest(tmp_path, modules, optimizer(modules))


def test_what_is_not_there_or_of_another_run(tmp_path: Path) -> None:
    modules = network()
    progress, notes = resume.newest(tmp_path, modules, optimizer(modules))
    assert progress == resume.Progress()
    assert "starting at its beginning" in notes[0]
    (tmp_path / "step_00000003.safetensors").write_bytes(b"")
    with pytest.raises(RequestError, match="holds checkpoints, but a state does not exist"):
        resume.newest(tmp_path, modules, optimizer(modules))
    resume.save(resume.path(tmp_path, 3), modules, optimizer(modules), resume.Progress(3))
    other: dict[str, torch.nn.Module] = {"network": torch.nn.Linear(3, 2)}
    with pytest.raises(RequestError, match="belongs to another network"):
        resume.newest(tmp_path, other, optimizer(other))


def test_a_run_goes_on_beside_a_damaged_state(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    """The way is taken again from the state before, past the checkpoint that is newer than it."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    state = resume.path(run, 6)
    state.write_bytes(state.read_bytes()[:500])
    (run / ".0123456789abcdef.part").write_bytes(b"half of a state, when it was killed")
    done = impasto("train", f"resume={run}", "trainer.checkpoint_every=5")
    assert done.returncode == 0, done.stderr
    assert "step_00000006.state is damaged" in done.stderr
    assert "going on from step_00000003.state" in done.stderr
    assert same_weights(run, tiny_run)
    names = sorted(path.name for path in run.glob("step_*"))
    assert names == [f"step_0000000{step}.{kind}" for step in (5, 6) for kind in ("safetensors", "state")]
    assert not [*run.glob(".*.part")]


def test_a_warm_start_is_the_same_however_early_it_was_stopped(
    tiny_run: Path, tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """Before its first state, or after it; and the card knows where it began."""
    whole, line = tmp_path / "whole", [*TINY, f"data.root={photo_folder}", f"init={checkpoint.path(tiny_run, 6)}"]
    assert impasto("train", *line, f"hydra.run.dir={whole}").returncode == 0
    card = checkpoint.load(checkpoint.path(whole, 6))[1]
    assert card["init"]["name"] == "step_00000006.safetensors"
    for name, kept in (("before", ()), ("after", ("step_00000003.safetensors", "step_00000003.state"))):
        run = shutil.copytree(whole, tmp_path / name)
        for file in run.glob("step_*"):
            if file.name not in kept:
                file.unlink()
        done = impasto("train", f"resume={run}")
        assert done.returncode == 0, done.stderr
        assert same_weights(run, whole)
        assert checkpoint.load(checkpoint.path(run, 6))[1]["init"] == card["init"]


def test_a_checkpoint_that_its_state_lacks_is_written(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    """Killed between the two, at the very end: the state says that all is done, and the network is not there."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    last = checkpoint.path(run, 6)
    card = checkpoint.load(last)[1]
    last.unlink()
    done = impasto("train", f"resume={run}")
    assert done.returncode == 0, done.stderr
    assert same_weights(run, tiny_run)
    assert checkpoint.load(last)[1] == card
    assert impasto("train", f"resume={run}").returncode == 2


def test_settings_that_were_cut_off_are_one_sentence(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / ".hydra" / "overrides.yaml").write_text("")
    done = impasto("train", f"resume={run}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "overrides.yaml is empty" in done.stderr


def test_rows_and_bad_photos_of_the_earlier_part_stay(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with (run / "metrics.csv").open("a") as file:
        file.write("7,14,1.5,9e")  # what a kill leaves of a row
    (run / "skipped.txt").write_text("bad.jpg is damaged\n")
    done = impasto("train", f"resume={run}", "trainer.steps=8")
    assert done.returncode == 0, done.stderr
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows if row["total"]] == [2, 4, 6, 8]
    assert (run / "skipped.txt").read_text() == "bad.jpg is damaged\n"
    config = (run / ".hydra" / "config.yaml").read_text()
    assert "steps: 8" in config


def test_a_full_disk_keeps_the_last_good_state(tiny_run: Path, tmp_path: Path) -> None:
    """A limit on the size of a file stands for the full disk: the write of a state fails midway, as there."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.glob("step_*")}
    room = resume.path(run, 6).stat().st_size // 2
    done = subprocess.run(
        [kill_nine.SCRIPT, f"resume={run}", "trainer.steps=9"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()[-1]
    assert "has no room for what is to be saved (file too large); step_00000006.state is kept" in said
    assert f"go on with: impasto-train resume={run}" in said
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert {path: path.read_bytes() for path in run.glob("step_*")} == before
    assert not list(run.glob(".*.part"))


def same_weights(one: Path, other: Path) -> bool:
    """Whether the newest checkpoints of two runs hold the same numbers."""
    weights = [load_file(max(run.glob("*.safetensors"))) for run in (one, other)]
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
