"""Runs whose crops grow, stopped and resumed in each stage."""

import shutil
from pathlib import Path

import pytest

from impasto.configs.cli import app
from impasto.models import checkpoint
from impasto.models.card import CropStage
from impasto.train.commands import train
from impasto.train.data import crop_stages
from impasto.train.engine import run_logger, train_state
from impasto.train.engine.train_state import TrainState
from tests.helpers.checkpoints import same_weights
from tests.helpers.commands import TINY
from tests.helpers.in_process import call_main

STAGES = [CropStage(32, [1.0, 2.0], 0.6), CropStage(48, [1.0, 1.25], 0.84), CropStage(64, [1.0, 1.25])]
STEPS, SWITCHES = 10, [0, 6, 9]  # the steps after which each stage begins


def test_enter_stages_follows_the_budget() -> None:
    budget = app.compose("train", ["data.root=.", f"trainer.steps={STEPS}"]).trainer
    state, sizes = TrainState(stages=STAGES), []
    for _ in range(STEPS):
        sizes.append(state.stage.size)
        state.advance(0, False)
        assert state.enter_stages(budget) == (state.step in SWITCHES)
    assert sizes == [32] * 6 + [48] * 3 + [64]
    assert state.stage_starts == SWITCHES


def test_enter_stages_larger_budget_continues_in_the_stage_it_reached() -> None:
    def budget(minutes: int) -> list[str]:
        return ["data.root=.", f"trainer.minutes={minutes}"]

    state = TrainState(stages=STAGES)
    state.advance(40, False)  # seconds
    assert state.enter_stages(app.compose("train", budget(1)).trainer)
    resumed = TrainState.from_json(state.to_json())
    assert (resumed.stage, resumed.stage_starts) == (STAGES[1], [0, 1])
    resumed.advance(60, False)
    assert not resumed.enter_stages(app.compose("train", budget(4)).trainer)
    assert resumed.stage == STAGES[1]


def test_enter_stages_skips_a_stage_that_one_step_outlasts() -> None:
    state = TrainState(stages=STAGES)
    state.advance(55, False)
    assert state.enter_stages(app.compose("train", ["data.root=.", "trainer.minutes=1"]).trainer)
    assert (state.stage, state.stage_starts) == (STAGES[2], [0, 1, 1])


@pytest.mark.slow
def test_train_resumed_in_any_stage_ends_with_same_weights(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Stopped in the first stage, at the switch, in the second stage, and at its end; with SOAP, as by default."""
    monkeypatch.setattr(crop_stages, "SIZES", (32, 48))
    monkeypatch.setattr(run_logger, "RETAINED", STEPS + 1)
    whole, switch = tmp_path / "whole", 6
    line = [*TINY, "data.size=auto", "optimizer=soap", "data.cache=photos", f"data.root={photo_folder}"]
    line += [f"trainer.steps={STEPS}", "trainer.checkpoint_every=1", f"hydra.run.dir={whole}"]
    monkeypatch.chdir(tmp_path)
    assert call_main(monkeypatch, "impasto-train", train.main, *line) == 0
    assert f"step {switch}: crops of 48 px from now on" in capfd.readouterr().err
    card = checkpoint.load(checkpoint.path(whole, STEPS))[1]
    assert card.data is not None
    assert [stage.size for stage in card.data.stages] == [32, 48] and card.data.size == 48
    for step in (switch - 2, switch - 1, switch, switch + 1):
        run = shutil.copytree(whole, tmp_path / f"stopped after {step}")
        for later in range(step + 1, STEPS + 1):
            train_state.path(run, later).unlink()
            checkpoint.path(run, later).unlink()
        # The stages are those that the run began with, whatever is chosen today.
        monkeypatch.setattr(crop_stages, "SIZES", (32, 40))
        assert call_main(monkeypatch, "impasto-train", train.main, f"resume={run}") == 0
        assert same_weights(run, whole), step
        assert checkpoint.load(checkpoint.path(run, STEPS))[1].data == card.data
