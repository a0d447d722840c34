from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig
from impasto.train.engine import callbacks
from impasto.train.engine.callbacks import DivergenceGuard, MetricsLogger, SampleWriter, StopSignal, Validation
from impasto.train.engine.divergence import RECENT, DivergenceError
from impasto.train.engine.optimizer import build_optimizer, build_schedule
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import MEASURES
from impasto.train.runtime.distributed import Group
from impasto.train.runtime.progress import Display
from impasto.train.runtime.signals import Interrupt
from tests.helpers.commands import TINY
from tests.helpers.training import CPU, RecordingLogger, measures, metrics_of


@pytest.fixture
def config() -> TrainConfig:
    return app.compose("train", [*TINY, "data.root=."])


@pytest.mark.parametrize(
    ("step", "stop", "raises"),
    [(1, False, False), (2, False, True), (3, False, True), (1, True, True), (5, False, False)],
)
def test_divergence_guard_checks_before_each_row_and_checkpoint(
    config: TrainConfig, step: int, stop: bool, raises: bool
) -> None:
    """TINY has log_every=2, checkpoint_every=3 and steps=6."""
    state = TrainState(step, stop_requested=stop)
    guard = DivergenceGuard(config.trainer)
    if raises:
        with pytest.raises(DivergenceError, match="NaN"):
            guard.on_step_end(state, metrics_of(state, float("nan")))
    else:
        guard.on_step_end(state, metrics_of(state, float("nan")))


def test_divergence_guard_check_passed_step_is_not_checked_again(config: TrainConfig) -> None:
    guard, state = DivergenceGuard(config.trainer), TrainState(2)
    guard.check(state, metrics_of(state, 1.0))
    guard.check(state, metrics_of(state, float("nan")))
    state.step = 3
    with pytest.raises(DivergenceError):
        guard.check(state, metrics_of(state, float("nan")))
    guard.on_train_start(state)
    guard.check(state, metrics_of(state, float("nan")))


def test_divergence_guard_during_warmup_ignores_flat_pictures(config: TrainConfig) -> None:
    guard, config.trainer.warmup_steps = DivergenceGuard(config.trainer), 3
    guard.check(TrainState(3), metrics_of(TrainState(3), 1.0, std=0.0))
    with pytest.raises(DivergenceError, match="flat"):
        guard.check(TrainState(4), metrics_of(TrainState(4), 1.0, std=0.0))


def test_divergence_guard_compares_with_recent_losses(config: TrainConfig) -> None:
    guard = DivergenceGuard(config.trainer)
    with pytest.raises(DivergenceError, match="exploded"):
        guard.check(TrainState(2, recent_losses=[1.0]), metrics_of(TrainState(2), 11.0))
    guard.check(TrainState(2, recent_losses=[1.0]), metrics_of(TrainState(2), 9.0))


def metrics_logger(config: TrainConfig, state: TrainState, logger: RecordingLogger) -> MetricsLogger:
    optimizer = build_optimizer(config, [torch.nn.Parameter(torch.zeros(1))])
    schedule = build_schedule(config, optimizer, state)
    return MetricsLogger(config.trainer, Group(), schedule, ["bad validation photo"], logger, Display("title"))


def test_metrics_logger_writes_row_every_log_every_steps(config: TrainConfig) -> None:
    state, logger = TrainState(2, seconds=4.0, recent_losses=[0.0] * RECENT), RecordingLogger()
    callback, metrics = metrics_logger(config, state, logger), metrics_of(TrainState(), 2.0, 4.0)
    metrics.unreadable = ["bad photo"]
    callback.on_train_start(state)
    callback.on_step_end(TrainState(1), metrics)
    assert logger.rows == []
    callback.on_step_end(state, metrics)
    (row,) = logger.rows
    assert {key: row[key] for key in ("step", "images", "seconds", "images_per_second", "total")} == {
        **{"step": 2, "images": 4, "seconds": 4.0, "images_per_second": 1.0, "total": 3.0}
    }
    assert row["lr"] == pytest.approx(0.003 * 3 / 50 * 4 / 6)
    assert logger.skipped == ["bad validation photo", "bad photo"]
    assert state.recent_losses == [0.0] * (RECENT - 1) + [3.0]
    metrics.add(measures(8.0), [])
    assert metrics.losses()["total"] == 8.0


@pytest.mark.parametrize(
    ("step", "stop", "rank", "samples"), [(5, False, 0, 0), (6, False, 0, 1), (5, True, 0, 1), (6, False, 1, 0)]
)
def test_sample_writer_writes_when_due_in_main_process(
    config: TrainConfig, step: int, stop: bool, rank: int, samples: int
) -> None:
    logger, photos = RecordingLogger(), torch.zeros(6, 32, 32, 3, dtype=torch.uint8)
    callback = SampleWriter(config.trainer, photos, torch.nn.Identity(), 1, CPU, Group(rank, 2), logger)
    state = TrainState(step, stop_requested=stop)
    callback.on_train_start(state)
    callback.on_step_end(state, metrics_of(state))
    assert logger.samples == [step] * samples
    assert len(callback.photos) == callbacks.SAMPLES


@pytest.mark.parametrize("method", ["on_train_start", "on_step_end"])
@pytest.mark.parametrize(
    ("step", "validated", "requested", "raises"),
    [(3, [3], True, True), (3, [3], False, False), (6, [6], True, False), (6, [3], True, True)],
)
def test_stop_signal_raises_unless_run_is_complete(
    config: TrainConfig, tmp_path: Path, method: str, step: int, validated: list[float], requested: bool, raises: bool
) -> None:
    interrupt = Interrupt()
    interrupt.stop_requested = requested
    state = TrainState(step, validation=[{"step": at} for at in validated], stop_requested=requested)
    callback = StopSignal(config.trainer, tmp_path, Group(), interrupt)
    call: Callable[[], None] = {
        "on_train_start": lambda: callback.on_train_start(state),
        "on_step_end": lambda: callback.on_step_end(state, metrics_of(state)),
    }[method]
    if raises:
        with pytest.raises(
            KeyboardInterrupt, match=rf"saved at step {step}; resume with: impasto-train .*{tmp_path.name}"
        ):
            call()
    else:
        call()


def test_stop_signal_before_first_step_asks_for_signals(config: TrainConfig, tmp_path: Path) -> None:
    interrupt, state = Interrupt(), TrainState()
    interrupt.stop_requested = True
    with pytest.raises(KeyboardInterrupt, match="saved at step 0"):
        StopSignal(config.trainer, tmp_path, Group(), interrupt).on_train_start(state)
    assert state.stop_requested


class FakeTrainingLoss:
    """MEASURES that are the mean level of the photo."""

    class hardware:  # noqa: N801
        device = CPU

    def measures(self, network: torch.nn.Module, photos: torch.Tensor, stylized: torch.Tensor) -> torch.Tensor:
        assert torch.equal(photos, stylized) and not network.training
        return photos.mean().expand(len(MEASURES))


def validation(config: TrainConfig, logger: RecordingLogger, interrupt: Interrupt) -> Validation:
    photos = torch.stack([torch.full((32, 32, 3), level, dtype=torch.uint8) for level in (1, 4, 7)])
    loss: Any = FakeTrainingLoss()
    network, display = torch.nn.Identity(), Display("title")
    return Validation(config.trainer, photos, network, [loss], [""], Group(), interrupt, logger, display)


@pytest.mark.parametrize(
    ("step", "validated", "stop", "validates"),
    [(3, [0], False, True), (3, [0, 3], False, False), (3, [0], True, False), (4, [0], False, False)],
)
def test_validation_measures_when_due(
    config: TrainConfig, step: int, validated: list[float], stop: bool, validates: bool
) -> None:
    """TINY has validate_every=3."""
    state = TrainState(step, validation=[{"step": at} for at in validated], stop_requested=stop, unsaved=False)
    logger = RecordingLogger()
    validation(config, logger, Interrupt()).on_step_end(state, metrics_of(state))
    expected = dict.fromkeys(MEASURES, 4.0) | {"checkerboard": 2.0, "temporal": 2.0}
    assert state.validation[len(validated) :] == [{"step": step} | expected] * validates
    assert logger.rows == [{"step": step} | {f"val_{name}": value for name, value in expected.items()}] * validates
    assert (state.unsaved, state.stop_requested) == (validates, stop)


def test_validation_on_train_start_measures_only_what_is_missing(config: TrainConfig) -> None:
    state, logger = TrainState(), RecordingLogger()
    for _ in range(2):
        validation(config, logger, Interrupt()).on_train_start(state)
    assert [row["step"] for row in logger.rows] == [0]


def test_validation_signal_during_photos_postpones_it(config: TrainConfig) -> None:
    state, logger, interrupt = TrainState(3, unsaved=False), RecordingLogger(), Interrupt()
    interrupt.stop_requested = True
    validation(config, logger, interrupt).on_step_end(state, metrics_of(state))
    assert (state.validation, logger.rows, state.unsaved, state.stop_requested) == ([], [], False, True)
