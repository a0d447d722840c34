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

from impasto.configs.errors import UsageError
from impasto.models.card import CropStage
from impasto.train.data.dataset import PhotoSet
from impasto.train.data.random_crops import Crops, loader
from impasto.train.runtime.distributed import Group
from tests.helpers import kill_nine
from tests.helpers.commands import TINY, Run
from tests.helpers.photos import config, photo

Impasto = Callable[..., Run]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python")


def columns(run: Path) -> dict[str, list[float]]:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("total", "content", "style", "checkerboard", "val_total", "lr")
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


@pytest.mark.parametrize("decay", [0, pytest.param(0.9, marks=pytest.mark.slow)])
def test_train_with_two_processes_logs_losses_of_one(
    decay: float, tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """The photos are the same, the losses differ by the order of sums, and only the main process writes.

    The weights may differ by more: the gradient of a bias before an instance norm is rounding error alone.
    """
    line = [*TINY, f"data.root={photo_folder}", "trainer.batch_size=4", "trainer.steps=20", "trainer.validate_every=10"]
    line += ["loss.palette_weight=1", f"loss.ema_decay={decay}"]
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


@pytest.mark.slow
def test_train_with_two_processes_enters_stages_of_one(tmp_path: Path, impasto: Impasto) -> None:
    """Crops grow after the same step, and the losses after it are the same."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(6):
        photo(seed, (200, 170)).save(photos / f"{seed}.png")
    line = [*TINY, f"data.root={photos}", "data.size=auto", "trainer.steps=5", "trainer.log_every=1"]
    alone = impasto("train", *line, f"hydra.run.dir={tmp_path / 'one'}")
    assert alone.returncode == 0, alone.stderr
    command = [*TORCHRUN, str(kill_nine.SCRIPT), *line, f"hydra.run.dir={tmp_path / 'two'}"]
    both = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert both.returncode == 0, both.stderr
    for stderr in (alone.stderr, both.stderr):
        assert stderr.count("step 3: crops of 168 px from now on") == 1
    curves = columns(tmp_path / "one"), columns(tmp_path / "two")
    for name, values in curves[0].items():
        assert curves[1][name] == pytest.approx(values, rel=1e-3), name
    # The size of the crops follows from the state: one process resumes in the stage that two had reached.
    resumed = impasto("train", f"resume={tmp_path / 'two'}", "trainer.steps=6")
    assert resumed.returncode == 0 and "crops of" not in resumed.stderr, resumed.stderr


@pytest.mark.slow
def test_train_killed_process_ends_run_which_resumes(tmp_path: Path, photo_folder: Path) -> None:
    run, script = tmp_path / "run", str(kill_nine.SCRIPT)
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=100000"]
    process = subprocess.Popen([*TORCHRUN, script, *line], stderr=subprocess.PIPE, text=True)
    while kill_nine.newest(run) in ("none", "step_00000000") and process.poll() is None:
        time.sleep(0.01)
    os.kill(second_process(process.pid), signal.SIGKILL)
    _, stderr = process.communicate()
    assert process.returncode == 1
    sentences = [line for line in stderr.splitlines() if line.startswith("impasto-train: process 0 of 2 lost")]
    assert len(sentences) == 1 and "resume from the last state with resume=RUN_DIR" in sentences[0], stderr
    step = int(kill_nine.newest(run).removeprefix("step_"))
    again = [*TORCHRUN, script, f"resume={run}", f"trainer.steps={step + 4}"]
    assert subprocess.run(again, cwd=tmp_path, check=False).returncode == 0
    assert kill_nine.newest(run) == f"step_{step + 4:08d}"


def second_process(launcher: int) -> int:
    """The id of the process with RANK=1: torchrun starts the ranks in order."""
    listing = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children = sorted(int(pid) for pid, parent in map(str.split, listing.splitlines()) if int(parent) == launcher)
    assert len(children) == 2, listing
    return children[1]


@pytest.mark.slow
def test_process_group_with_optimizer_is_destroyed_at_its_end(tmp_path: Path) -> None:
    """A reference would leave gloo's threads running, which can abort the process while the interpreter shuts down."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, torch, torch.distributed as dist\n"
        "from impasto.train.runtime.distributed import process_group\n"
        "with process_group(torch.device('cpu')) as group:\n"
        "    world = dist.group.WORLD\n"
        "    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])\n"
        "    assert group.sync_clock_and_stop(1 + group.rank, group.rank == 1) == (1, True)\n"
        "sys.stdout.write(f'{sys.getrefcount(world)} ')\n"  # `world`, and the argument; in one write of two processes
        "del world\n"  # or this reference would be the one that leaves the threads running
    )
    done = subprocess.run([*TORCHRUN, sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "2"]


def test_loader_shares_of_ranks_make_up_the_batch(photo_folder: Path) -> None:
    stages = [CropStage(32, [1.0, 1.5])]
    crops = Crops(PhotoSet(photo_folder, "data.root"), config(photo_folder), 0, stages)

    def batches(rank: int, size: int) -> list[torch.Tensor]:
        return [batch for batch, _ in islice(loader(crops, 4, 3, False, rank, size), 3)]

    shares = zip(batches(0, 2), batches(1, 2), strict=True)
    assert all(torch.equal(torch.cat(share), whole) for share, whole in zip(shares, batches(0, 1), strict=True))


def test_local_batch_size_unequal_shares_raises() -> None:
    assert Group(0, 2).local_batch_size(4) == 2
    with pytest.raises(UsageError, match=r"trainer\.batch_size=5 cannot be shared by 2 processes"):
        Group(0, 2).local_batch_size(5)
