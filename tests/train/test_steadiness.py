"""Training with a stability loss: it is noted, it is drawn again on resuming, and the network gets steadier."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import TINY, Run

Impasto = Callable[..., Run]


def rows(run: Path, column: str) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


def test_it_is_noted_and_resumes_bit_for_bit(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    line = [*TINY, f"data.root={photo_folder}", "trainer.stability_weight=1000"]
    done = impasto("train", *line, f"hydra.run.dir={tmp_path / 'whole'}")
    assert done.returncode == 0, done.stderr
    assert min(rows(tmp_path / "whole", "stability")) > 0 and min(rows(tmp_path / "whole", "val_stability")) > 0
    # The learning rate falls to the end of the budget, so the part must have the same one: it is cut off, not shorter.
    again = impasto("train", *line, f"hydra.run.dir={tmp_path / 'part'}")
    assert again.returncode == 0, again.stderr
    for name in ("step_00000006.safetensors", "step_00000006.state"):
        (tmp_path / "part" / name).unlink()
    resumed = impasto("train", f"resume={tmp_path / 'part'}")
    assert resumed.returncode == 0, resumed.stderr
    first, second = (load_file(tmp_path / run / "step_00000006.safetensors") for run in ("whole", "part"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_weight_makes_the_network_steadier(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    ended = {}
    for weight in (1, 1_000_000):
        run = tmp_path / str(weight)
        line = [*TINY, f"data.root={photo_folder}", "trainer.steps=40", f"trainer.stability_weight={weight}"]
        done = impasto("train", *line, "trainer.validate_every=40", "trainer.lr=0.01", f"hydra.run.dir={run}")
        assert done.returncode == 0, done.stderr
        ended[weight] = rows(run, "val_stability")[-1]
    assert ended[1_000_000] < 0.7 * ended[1]


def test_without_a_weight_it_costs_nothing(tiny_run: Path) -> None:
    assert rows(tiny_run, "stability") == pytest.approx([0.0] * len(rows(tiny_run, "stability")))
