import csv
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from impasto.configs.cli import app
from impasto.configs.schema.train import DivergenceConfig
from impasto.models import checkpoint
from impasto.train.engine import divergence, train_state
from impasto.train.engine.divergence import DivergenceError
from tests.helpers.checkpoints import same_weights
from tests.helpers.commands import TINY, Run, Start

Impasto = Callable[..., Run]


@pytest.fixture(scope="module")
def limits() -> DivergenceConfig:
    return app.compose("train", ["data.root=."]).trainer.divergence


def kind(
    limits: DivergenceConfig,
    *pictures: torch.Tensor,
    loss: float = 100,
    recent_losses: Sequence[float] = (),
    warmed_up: bool = True,
) -> str:
    """The kind of divergence after pictures of several steps; empty if there is none."""
    statistics = torch.stack([divergence.statistics(picture) for picture in pictures]).mean(0).tolist()
    try:
        divergence.check(limits, loss, statistics, recent_losses, warmed_up)
    except DivergenceError as error:
        return error.kind
    return ""


def test_check_pictures_of_each_fault_raises_its_kind(limits: DivergenceConfig) -> None:
    good = 255 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    flat = torch.tensor([30.0, 90.0, 200.0]).view(1, 3, 1, 1).expand(2, 3, 32, 32)  # one color, of any channels
    white = 254 + 0 * good
    stripes = torch.where(torch.arange(32) % 2 == 0, 1.0, 254.0).expand(2, 3, 32, 32)  # black and white, and not flat
    ink = torch.where(good > 30, 255.0, good)  # a drawing: about 90 % paper
    assert kind(limits, good) == kind(limits, good, flat) == kind(limits, ink) == ""
    assert kind(limits, flat) == "flat"
    assert kind(limits, white) == "flat"
    assert kind(limits, stripes) == "saturated"
    assert kind(limits, good, good * float("nan")) == "nan"
    assert kind(limits, flat, warmed_up=False) == kind(limits, stripes, warmed_up=False) == ""


def test_check_loss_above_ratio_of_recent_median_raises_explosion(limits: DivergenceConfig) -> None:
    good = 255 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    recent_losses = (100.0, 5000.0, 100.0)  # one outlier moves no median
    assert kind(limits, good, loss=900, recent_losses=recent_losses) == kind(limits, good, loss=1e9) == ""
    assert kind(limits, good, loss=1001, recent_losses=recent_losses) == "explosion"
    assert (
        kind(limits, good, loss=float("inf"), recent_losses=recent_losses)
        == kind(limits, good, loss=float("nan"))
        == "nan"
    )


def test_train_diverged_run_returns_with_lower_learning_rate(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """With a rate of 1 the network saturates within a few steps; a thousandth of that goes well."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=60", "trainer.warmup_steps=0"]
    line += ["trainer.checkpoint_every=20", "optimizer.lr=1", "trainer.divergence.lr_factor=0.001"]
    done = impasto("train", *line, "trainer.validate_every=20", "trainer.divergence.max_saturated_fraction=0.5")
    assert done.returncode == 0, done.stderr
    (message,) = [line for line in done.stderr.splitlines() if "; returned to step " in line]
    assert "with the learning rate lowered to 0.001" in message
    assert message.endswith("(1 of 3)")
    card = checkpoint.load(max(run.glob("*.safetensors")))[1]
    assert card.training is not None and card.training.rollbacks[0] in message
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["total"]]
    assert [int(row["step"]) for row in rows] == list(range(2, 61, 2))
    assert float(rows[-3]["lr"]) < 0.001
    assert [row["step"] for row in card.validation] == [0, 20, 40, 60]


def test_train_after_three_rollbacks_gives_up_with_diagnosis(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    run = tmp_path / "run"
    done = impasto("train", *TINY, f"data.root={photo_folder}", "loss.style_weight=1e38", f"hydra.run.dir={run}")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    backs = [line for line in lines if "the loss is NaN or infinite; returned to step 0" in line]
    assert [line[-8:] for line in backs] == ["(1 of 3)", "(2 of 3)", "(3 of 3)"]
    assert lines[-1].startswith("impasto-train: gave up at step 2: the loss is NaN or infinite, even with the learning")
    assert "try a lower optimizer.lr or loss.style_weight" in lines[-1]
    assert lines[-1].endswith("step_00000000.safetensors is the last good network")
    assert (run / "step_00000000.safetensors").is_file()
    with safe_open(run / "step_00000000.state", framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    assert len(progress["rollbacks"]) == 3  # so that a resumed run counts on


def test_train_state_that_diverges_again_is_left_for_the_one_before(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    """With a rate of 1 the network is saturated by its second step, which the losses of the first two do not show."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.steps=12", "trainer.warmup_steps=0"]
    line += ["trainer.checkpoint_every=2", "optimizer.lr=1", "trainer.divergence.lr_factor=0.001"]
    done = impasto("train", *line, "trainer.validate_every=12", "trainer.divergence.max_saturated_fraction=0.5")
    assert done.returncode == 0, done.stderr
    backs = [
        line.partition("; returned to ")[2][:6] for line in done.stderr.splitlines() if "; returned to step" in line
    ]
    assert backs == ["step 2", "step 0"]


def test_check_weights_infinite_weight_raises() -> None:
    network = torch.nn.Linear(3, 2)
    divergence.check_weights(network)
    with torch.no_grad():
        network.bias[1] = torch.inf
    with pytest.raises(DivergenceError, match="a weight is NaN or infinite"):
        divergence.check_weights(network)


def test_train_sigterm_during_validation_saves_and_resumes(
    tiny_run: Path, tmp_path: Path, photo_folder: Path, impasto: Impasto, start_impasto: Start
) -> None:
    """The resumed run validates what was skipped, and ends with the weights of a run that was never stopped."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", f"data.val_root={photo_folder}"]
    process = start_impasto("train", *line, "data.val_size=768", "data.val_photos=8")
    while not (run / "metrics.csv").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "saved at step 0; resume with: impasto-train" in stderr
    assert len((run / "metrics.csv").read_text().splitlines()) == 1
    assert [state.name for state in train_state.states(run)] == ["step_00000000.state"]
    resumed = impasto("train", f"resume={run}", "data.val_size=32", "data.val_root=null")
    assert resumed.returncode == 0, resumed.stderr
    assert same_weights(run, tiny_run)
    card = checkpoint.load(max(run.glob("*.safetensors")))[1]
    assert [row["step"] for row in card.validation] == [0, 3, 6]


def test_train_sigterm_to_process_group_saves(tmp_path: Path, photo_folder: Path, start_impasto: Start) -> None:
    """Batch systems signal all processes: the loader workers must not die before the trainer has saved."""
    run = tmp_path / "run"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "data.workers=2", "trainer.steps=100000"]
    line += ["trainer.validate_every=100000", "trainer.sample_every=100000", "trainer.checkpoint_every=100000"]
    process = start_impasto("train", *line, new_session=True)
    while process.poll() is None and (
        not (run / "metrics.csv").exists() or len((run / "metrics.csv").read_text().splitlines()) < 4
    ):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "saved at step" in stderr
    assert len(train_state.states(run)) == 2
