import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch

from impasto.configs.errors import RequestError
from impasto.train.crops import Crops, loader
from impasto.train.parallel import Group
from impasto.train.photos import PhotoSet
from tests.conftest import TINY, Run
from tests.train import kill_nine
from tests.train.test_photos import config

Impasto = Callable[..., Run]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python")


def columns(run: Path) -> dict[str, list[float]]:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("total", "content", "style", "lattice", "val_total", "lr")
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


def test_two_processes_take_the_steps_of_one(tmp_path: Path, photo_folder: Path, impasto: Impasto) -> None:
    """The same photos and the same losses but for the order of sums; and the first process alone writes.

    Their weights may differ by more, where a bias before an instance norm does nothing: its gradient is rounding alone.
    """
    line = [*TINY, f"data.root={photo_folder}", "trainer.batch=4", "trainer.steps=20", "trainer.validate_every=10"]
    alone = impasto("train", *line, f"hydra.run.dir={tmp_path / 'one'}")
    assert alone.returncode == 0, alone.stderr
    script, run = str(kill_nine.SCRIPT), tmp_path / "two"
    both = subprocess.run(
        [*TORCHRUN, script, *line, f"hydra.run.dir={run}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert both.returncode == 0, both.stderr
    curves = columns(tmp_path / "one"), columns(run)
    for name, values in curves[0].items():
        assert curves[1][name] == pytest.approx(values, rel=1e-3), name
    assert len(curves[0]["total"]) == 10
    assert both.stdout == f"{run / 'step_00000020.safetensors'}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
    kinds = [sorted(path.suffix for path in folder.rglob("*") if path.is_file()) for folder in (tmp_path / "one", run)]
    assert kinds[0] == kinds[1]


def test_the_loss_of_a_process_ends_the_run_and_it_goes_on(tmp_path: Path, photo_folder: Path) -> None:
    run, script = tmp_path / "run", str(kill_nine.SCRIPT)
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=100000"]
    process = subprocess.Popen([*TORCHRUN, script, *line], stderr=subprocess.PIPE, text=True)
    while kill_nine.newest(run) in ("none", "step_00000000") and process.poll() is None:
        time.sleep(0.01)
    os.kill(second_process(process.pid), signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 1
    (sentence,) = [line for line in said.splitlines() if line.startswith("impasto-train: process 0 of 2 lost")]
    assert "go on from the last state with resume=RUN_DIR" in sentence
    step = int(kill_nine.newest(run).removeprefix("step_"))
    again = [*TORCHRUN, script, f"resume={run}", f"trainer.steps={step + 4}"]
    assert subprocess.run(again, cwd=tmp_path, check=False).returncode == 0
    assert kill_nine.newest(run) == f"step_{step + 4:08d}"


def second_process(launcher: int) -> int:
    """The id of the process with RANK=1 that torchrun started."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for child in children:
        if b"\0RANK=1\0" in b"\0" + Path(f"/proc/{child}/environ").read_bytes():
            return int(child)
    raise AssertionError(children)


def test_the_shares_of_a_batch_make_it_up(photo_folder: Path) -> None:
    crops = Crops(PhotoSet(photo_folder, "data.root"), config(photo_folder), seed=0)

    def batches(rank: int, size: int) -> list[torch.Tensor]:
        return [batch for batch, _ in islice(loader(crops, 4, 3, False, rank, size), 3)]

    shares = zip(batches(0, 2), batches(1, 2), strict=True)
    assert all(torch.equal(torch.cat(share), whole) for share, whole in zip(shares, batches(0, 1), strict=True))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert Group(0, 2).share(4) == 2
    with pytest.raises(RequestError, match=r"trainer\.batch=5 cannot be shared by 2 processes"):
        Group(0, 2).share(5)
