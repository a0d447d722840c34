import pytest
import torch

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig
from impasto.train.engine.optimizer import build_optimizer, build_schedule
from impasto.train.engine.train_state import TrainState


def rates(config: TrainConfig, state: TrainState, seconds: list[float]) -> list[float]:
    """The learning rate of each step, where steps end at these seconds."""
    optimizer = build_optimizer(config, [torch.nn.Parameter(torch.zeros(1))])
    schedule, values = build_schedule(config, optimizer, state), []
    for end in seconds:
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        state.advance(end, False)
        schedule.step()
    return [*values, float(schedule.get_last_lr()[0])]


def config(*lines: str) -> TrainConfig:
    return app.compose("train", ["data.root=.", "optimizer.lr=0.1", *lines])


def test_build_schedule_budget_in_steps_warms_up_and_decays_to_zero() -> None:
    values = rates(config("trainer.steps=4", "trainer.warmup_steps=2"), TrainState(), [1, 2, 3, 4])
    assert values == pytest.approx([0.05, 0.075, 0.05, 0.025, 0.0])


def test_build_schedule_budget_in_minutes_follows_the_clock() -> None:
    lines = ("trainer.steps=null", "trainer.minutes=1", "trainer.warmup_steps=0")
    assert rates(config(*lines), TrainState(), [15, 45, 90]) == pytest.approx([0.1, 0.075, 0.025, 0.0])


def test_build_schedule_resumed_state_continues() -> None:
    lines = ("trainer.steps=4", "trainer.warmup_steps=3")
    whole = rates(config(*lines), TrainState(), [1, 2, 3, 4])
    assert rates(config(*lines), TrainState(2), [3, 4]) == whole[2:]


def test_build_schedule_after_rollbacks_is_lower() -> None:
    lines = ("trainer.steps=4", "trainer.warmup_steps=0", "trainer.divergence.lr_factor=0.25")
    assert rates(config(*lines), TrainState(rollbacks=["", ""]), [1]) == pytest.approx([0.1 / 16, 0.075 / 16])
