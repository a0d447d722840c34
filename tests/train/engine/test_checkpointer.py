from pathlib import Path

import pytest
import torch

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint, transform_net
from impasto.models.card import Card, ModelCard, OriginCard
from impasto.models.transform_net import TransformNet
from impasto.train.engine import train_state
from impasto.train.engine.callbacks import DivergenceGuard
from impasto.train.engine.checkpointer import Checkpointer
from impasto.train.engine.divergence import DivergenceError
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.optimizer import build_optimizer
from impasto.train.engine.train_state import TrainState
from impasto.train.runtime.distributed import Group
from tests.helpers.commands import TINY
from tests.helpers.training import RecordingLogger, metrics_of


@pytest.fixture
def config() -> TrainConfig:
    return app.compose("train", [*TINY, "data.root=."])


def checkpointer(config: TrainConfig, directory: Path, logger: RecordingLogger, rank: int = 0) -> Checkpointer:
    torch.manual_seed(0)
    network = transform_net.build(config.model)
    modules: dict[str, torch.nn.Module] = {"network": network, "average": ModelEma(network, 0.0)}
    optimizer = build_optimizer(config, network.parameters())
    guard = DivergenceGuard(config.trainer)
    card = Card(ModelCard("mobile", 0.25, 1))
    return Checkpointer(config, directory, card, torch.bfloat16, modules, optimizer, guard, Group(rank, 1), logger)


def test_checkpointer_saves_state_and_card(config: TrainConfig, tmp_path: Path) -> None:
    state = TrainState(
        3, 1.26, rollbacks=["once"], validation=[{"step": 3.0, "total": 1.0}], origin=OriginCard("a", "5e")
    )
    logger = RecordingLogger()
    checkpointer(config, tmp_path, logger).on_step_end(state, metrics_of(state, 1.0))
    (card,) = logger.cards
    assert card.training is not None and card.training.divergence is not None
    assert (card.training.steps, card.training.images, card.training.seconds) == (3, 6, 1.3)
    assert (card.training.precision, card.training.optimizer.lr, card.training.seed) == ("bfloat16", 0.003, 0)
    assert (card.training.rollbacks, card.training.divergence.max_rollbacks) == (["once"], 3)
    assert (card.validation, card.init) == (state.validation, OriginCard("a", "5e"))
    assert [path.name for path in train_state.states(tmp_path)] == ["step_00000003.state"]
    assert not state.unsaved


@pytest.mark.parametrize(("step", "stop", "rank", "saves"), [(2, False, 0, 0), (2, True, 0, 1), (3, False, 1, 0)])
def test_checkpointer_saves_when_due_in_main_process(
    config: TrainConfig, tmp_path: Path, step: int, stop: bool, rank: int, saves: int
) -> None:
    """TINY has checkpoint_every=3."""
    state, logger = TrainState(step, stop_requested=stop), RecordingLogger()
    checkpointer(config, tmp_path, logger, rank).on_step_end(state, metrics_of(state, 1.0))
    assert len(logger.cards) == len(train_state.states(tmp_path)) == saves


def test_checkpointer_diverged_network_is_not_saved(config: TrainConfig, tmp_path: Path) -> None:
    state, logger = TrainState(3), RecordingLogger()
    callback = checkpointer(config, tmp_path, logger)
    with pytest.raises(DivergenceError, match="the loss is NaN"):
        callback.on_step_end(state, metrics_of(state, float("nan")))
    with torch.no_grad():
        next(callback.modules["network"].parameters()).fill_(torch.nan)
    with pytest.raises(DivergenceError, match="a weight is NaN"):
        callback.on_step_end(state, metrics_of(state, 1.0))
    assert not logger.cards and not train_state.states(tmp_path)


def test_checkpointer_saves_the_network_of_the_lowest_validation_loss(config: TrainConfig, tmp_path: Path) -> None:
    logger, losses = RecordingLogger(), ((0, 1.0), (2, 5.0), (4, 3.0), (5, 4.0), (7, 2.0))
    callback, validation = checkpointer(config, tmp_path, logger), []
    for step, total in losses:  # the network of step 0 has learned nothing
        validation.append({"step": float(step), "total": total})
        state = TrainState(step, validation=[*validation])
        if step == 7:  # validated at the start of a session, since the last one did not get to it
            callback.on_train_start(state)
        else:
            callback.on_step_end(state, metrics_of(state, 1.0))
    callback.on_step_end(state := TrainState(8, validation=validation), metrics_of(state, 1.0))
    assert logger.best_steps == [2, 4, 7]
    state = TrainState(10, validation=[*validation, {"step": 10.0, "total": 1.0}])
    with pytest.raises(DivergenceError):
        callback.on_step_end(state, metrics_of(state, float("nan")))
    checkpointer(config, tmp_path, logger, rank=1).on_step_end(state, metrics_of(state, 1.0))
    assert logger.best_steps == [2, 4, 7]


def test_checkpointer_on_train_start_saves_what_no_file_has(config: TrainConfig, tmp_path: Path) -> None:
    logger = RecordingLogger()
    callback = checkpointer(config, tmp_path, logger)
    callback.on_train_start(TrainState(3))
    callback.on_train_start(TrainState(3, unsaved=False))  # its checkpoint is missing
    network = callback.modules["network"]
    assert isinstance(network, TransformNet)
    checkpoint.save(checkpoint.path(tmp_path, 3), network, callback.card)
    callback.on_train_start(TrainState(3, unsaved=False))
    assert len(logger.cards) == 2
    callback.on_train_start(TrainState(3))
    assert len(logger.cards) == 3
