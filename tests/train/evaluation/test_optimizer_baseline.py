import math
from dataclasses import replace
from typing import Any

import numpy as np

from impasto.models.card import LossCard
from impasto.train.engine.training_loss import AUXILIARY
from impasto.train.evaluation.equivalent_iterations import equivalent_iterations
from impasto.train.evaluation.optimizer_baseline import BaselineTrajectory, loss_key
from tests.helpers.networks import CARD

TOTALS = [9.0, 5.0, 6.0, 3.0, math.inf]


def test_equivalent_iterations_is_the_first_iteration_at_most_the_networks_loss() -> None:
    losses = (10.0, 9.0, 5.5, 5.0, 4.0, 3.0, 1.0)
    assert [equivalent_iterations(TOTALS, loss) for loss in losses] == [1, 1, 2, 2, 4, 4, 5]


def test_snapshot_is_the_stored_picture_nearest_to_the_iteration() -> None:
    snapshots = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
    trajectory = BaselineTrajectory(TOTALS, [1, 3, 5], snapshots)
    assert trajectory.best == 3.0
    assert [trajectory.snapshot(iteration).max() for iteration in (1, 3, 5)] == [0, 1, 2]
    assert trajectory.best_snapshot.max() == 1  # iteration 4: iterations 3 and 5 are equally near


def test_loss_key_depends_on_the_raw_weights_only() -> None:
    raw = LossCard.from_json(CARD["loss"])
    names = ("style_strength", *(f"{name}_weight" for name in (*AUXILIARY, "temporal")), "ema_decay")
    changes: list[dict[str, Any]] = [*({name: 0.5} for name in names), {"window": 96}]
    for training_only in changes:
        assert loss_key(replace(raw, **training_only), "a", 64) == loss_key(raw, "a", 64)
    for other in (loss_key(replace(raw, style_weight=3.3), "a", 64), loss_key(raw, "b", 64), loss_key(raw, "a", 65)):
        assert other != loss_key(raw, "a", 64)
