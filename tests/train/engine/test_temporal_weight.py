import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.commands import TINY, Run

Impasto = Callable[..., Run]


def rows(run: Path, column: str) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


def test_train_with_temporal_weight_logs_it_and_resumes_bit_for_bit(
    photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    line = [*TINY, f"data.root={photo_folder}", "loss.temporal_weight=1000"]
    done = impasto("train", *line, f"hydra.run.dir={tmp_path / 'whole'}")
    assert done.returncode == 0, done.stderr
    assert min(rows(tmp_path / "whole", "temporal")) > 0 and min(rows(tmp_path / "whole", "val_temporal")) > 0
    # The learning rate decays over the budget, so both runs have the same budget, and one loses its last state.
    again = impasto("train", *line, f"hydra.run.dir={tmp_path / 'part'}")
    assert again.returncode == 0, again.stderr
    for name in ("step_00000006.safetensors", "step_00000006.state"):
        (tmp_path / "part" / name).unlink()
    resumed = impasto("train", f"resume={tmp_path / 'part'}")
    assert resumed.returncode == 0, resumed.stderr
    first, second = (load_file(tmp_path / run / "step_00000006.safetensors") for run in ("whole", "part"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_train_with_larger_temporal_weight_ends_with_lower_temporal_loss(
    photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    final = {}
    for weight in (1, 1_000_000):
        run = tmp_path / str(weight)
        line = [*TINY, f"data.root={photo_folder}", "trainer.steps=40", f"loss.temporal_weight={weight}"]
        done = impasto("train", *line, "trainer.validate_every=40", "optimizer.lr=0.01", f"hydra.run.dir={run}")
        assert done.returncode == 0, done.stderr
        final[weight] = rows(run, "val_temporal")[-1]
    assert final[1_000_000] < 0.7 * final[1]


def test_train_without_temporal_weight_logs_zero(tiny_run: Path) -> None:
    assert rows(tiny_run, "temporal") == pytest.approx([0.0] * len(rows(tiny_run, "temporal")))
