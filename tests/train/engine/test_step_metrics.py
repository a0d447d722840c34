import pytest

from impasto.train.engine.divergence import STATISTICS
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState
from impasto.train.runtime.distributed import Group
from tests.helpers.training import CPU, measures


def test_step_metrics_mean_over_steps_until_reset() -> None:
    state = TrainState(4, seconds=10.0)
    metrics = StepMetrics(Group(), CPU, state)
    metrics.add(measures(2.0, std=4.0, saturated=0.5), ["a"]).add(measures(4.0, std=8.0, saturated=0.25), ["b"])
    assert metrics.losses() == pytest.approx(
        {
            "total": 3,
            "content": 1,
            "style": 2,
            "tv": 3,
            "temporal": 2,
            "blotch": 5,
            "checkerboard": 6**0.5,
            "drawing": 7,
            "flatness": 8,
            "frame": 9,
            "mesh": 10,
            "palette": 11,
            "pattern": 12,
            "weave": 13,
        }
    )
    assert metrics.statistics() == [6.0, 0.375]
    assert len(metrics.statistics()) == len(STATISTICS)
    assert metrics.unreadable == ["a", "b"]
    assert metrics.steps_per_second(TrainState(6, seconds=14.0)) == 0.5
    metrics.add(measures(9.0), [])
    assert metrics.losses()["total"] == 5
    metrics.reset(TrainState(7, seconds=20.0))
    assert metrics.unreadable == []
    metrics.add(measures(7.0), [])
    assert metrics.losses()["total"] == 7
    assert metrics.steps_per_second(TrainState(8, seconds=22.0)) == 0.5


def test_losses_of_several_paintings_are_means_of_all_and_of_each() -> None:
    metrics = StepMetrics(Group(), CPU, TrainState(), ["a", "b", "c"])
    for total, painting in ((2.0, 0), (4.0, 0), (9.0, 2)):
        metrics.add(measures(total), [], painting)
    losses = metrics.losses()
    assert losses["total"] == 5.0
    assert (losses["total/a"], losses["total/c"]) == (3.0, 9.0)
    assert "total/b" not in losses and losses["content/a"] == losses["content"] == 1.0
    assert metrics.statistics() == pytest.approx([50.0, 0.1])
    metrics.reset(TrainState())
    assert metrics.add(measures(1.0), [], 1).losses()["total/b"] == 1.0
