import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from impasto.configs import app
from impasto.configs.schema import GuardConfig
from impasto.models import checkpoint
from impasto.train import guards, resume
from impasto.train.guards import FaultError
from tests.conftest import TINY, Run
from tests.train import kill_nine
from tests.train.test_resume import same_weights

Impasto = Callable[..., Run]


@pytest.fixture(scope="module")
def limits() -> GuardConfig:
    return app.compose("train", ["data.root=."]).trainer.guard


def kind(
    limits: GuardConfig, *pictures: torch.Tensor, loss: float = 100, usual: Sequence[float] = (), warm: bool = True
) -> str:
    """What is found after pictures of several steps; nothing where all is well."""
    seen = torch.stack([guards.figures(picture) for picture in pictures]).mean(0).tolist()
    try:
        guards.check(limits, loss, seen, usual, warm)
    except FaultError as fault:
        return fault.kind
    return ""


def test_each_fault_is_known_from_a_good_picture(limits: GuardConfig) -> None:
    good = 255 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    flat = torch.tensor([30.0, 90.0, 200.0]).view(1, 3, 1, 1).expand(2, 3, 32, 32)  # one colour, of any channels
    white = 254 + 0 * good
    stripes = torch.where(torch.arange(32) % 2 == 0, 1.0, 254.0).expand(2, 3, 32, 32)  # black and white, and not flat
    ink = torch.where(good > 30, 255.0, good)  # a drawing: about 90 % paper
    assert kind(limits, good) == kind(limits, good, flat) == kind(limits, ink) == ""
    assert kind(limits, flat) == "flat"
    assert kind(limits, white) == "flat"
    assert kind(limits, stripes) == "saturated"
    assert kind(limits, good, good * float("nan")) == "number"
    assert kind(limits, flat, warm=False) == kind(limits, stripes, warm=False) == ""


def test_the_loss_is_held_against_the_last_rows(limits: GuardConfig) -> None:
    good = 255 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    usual = (100.0, 5000.0, 100.0)  # one outlier moves no median
    assert kind(limits, good, loss=900, usual=usual) == kind(limits, good, loss=1e9) == ""
    assert kind(limits, good, loss=1001, usual=usual) == "explosion"
    assert kind(limits, good, loss=float("inf"), usual=usual) == kind(limits, good, loss=float("nan")) == "number"


def test_a_fault_goes_back_with_a_lower_rate(tmp_path: Path, photo_folder: Path, impasto: Impasto) -> None:
    """With a rate of 1 the network saturates within a few steps; a thousandth of that goes well."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=60", "trainer.warmup_steps=0"]
    line += ["trainer.checkpoint_every=20", "trainer.lr=1", "trainer.guard.lr_factor=0.001"]
    done = impasto("train", *line, "trainer.validate_every=20", "trainer.guard.saturated=0.5")
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "; back to step " in line]
    assert "with the learning rate at 0.00" in said
    assert said.endswith("(1 of 3)")
    card = checkpoint.load(max(run.glob("*.safetensors")))[1]
    assert card["training"]["rollbacks"][0] in said
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["total"]]
    assert [int(row["step"]) for row in rows] == list(range(2, 61, 2))
    assert float(rows[-3]["lr"]) < 0.001
    assert [row["step"] for row in card["validation"]] == [0, 20, 40, 60]


def test_after_three_it_gives_up_with_a_diagnosis(tmp_path: Path, photo_folder: Path, impasto: Impasto) -> None:
    run = tmp_path / "run"
    done = impasto("train", *TINY, f"data.root={photo_folder}", "loss.style_weight=1e38", f"hydra.run.dir={run}")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    backs = [line for line in said if "the loss is no number any more; back to step 0" in line]
    assert [line[-8:] for line in backs] == ["(1 of 3)", "(2 of 3)", "(3 of 3)"]
    assert said[-1].startswith("impasto-train: gave up at step 2: the loss is no number any more")
    assert "try a lower trainer.lr or loss.style_weight" in said[-1]
    assert said[-1].endswith("step_00000000.safetensors is the last good network")
    assert (run / "step_00000000.safetensors").is_file()
    with safe_open(run / "step_00000000.state", framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    assert len(progress["rollbacks"]) == 3  # so that who goes on does not begin to count anew


def test_a_state_that_leads_to_faults_again_is_left_for_the_one_before(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """With a rate of 1 the network is saturated by its second step, which the losses of the first two do not show."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=12", "trainer.warmup_steps=0"]
    line += ["trainer.checkpoint_every=2", "trainer.lr=1", "trainer.guard.lr_factor=0.001"]
    done = impasto("train", *line, "trainer.validate_every=12", "trainer.guard.saturated=0.5")
    assert done.returncode == 0, done.stderr
    backs = [line.partition("; back to ")[2][:6] for line in done.stderr.splitlines() if "; back to step" in line]
    assert backs == ["step 2", "step 0"]


def test_a_weight_that_is_no_number() -> None:
    network = torch.nn.Linear(3, 2)
    guards.check_weights(network)
    with torch.no_grad():
        network.bias[1] = torch.inf
    with pytest.raises(FaultError, match="a weight is no number any more"):
        guards.check_weights(network)


def test_sigterm_is_seen_between_two_photos_of_a_validation(tiny_run: Path, tmp_path: Path, photo_folder: Path) -> None:
    """And what was left out is made up for: the run then ends as one that nobody stopped."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", f"data.val_root={photo_folder}"]
    process = subprocess.Popen(
        [kill_nine.SCRIPT, *line, "data.val_size=768", "data.val_photos=8"], stderr=subprocess.PIPE, text=True
    )
    while not (run / "metrics.csv").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "saved at step 0; go on with: impasto-train" in said
    assert len((run / "metrics.csv").read_text().splitlines()) == 1
    assert [state.name for state in resume.states(run)] == ["step_00000000.state"]
    resumed = subprocess.run([kill_nine.SCRIPT, f"resume={run}", "data.val_size=32", "data.val_root=null"], check=False)
    assert resumed.returncode == 0
    assert same_weights(run, tiny_run)
    card = checkpoint.load(max(run.glob("*.safetensors")))[1]
    assert [row["step"] for row in card["validation"]] == [0, 3, 6]


def test_sigterm_to_the_whole_group_is_a_save(tmp_path: Path, photo_folder: Path) -> None:
    """As from a batch system: the workers that read photos must not die before the trainer has saved."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "data.workers=2", "trainer.steps=100000"]
    line += ["trainer.validate_every=100000", "trainer.sample_every=100000", "trainer.checkpoint_every=100000"]
    process = subprocess.Popen([kill_nine.SCRIPT, *line], stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and (
        not (run / "metrics.csv").exists() or len((run / "metrics.csv").read_text().splitlines()) < 4
    ):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "saved at step" in said
    assert len(resume.states(run)) == 2
