"""The callback that saves a run."""

from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from impasto.configs.errors import UsageError
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint
from impasto.models.card import Card, DivergenceCard, OptimizerCard, TrainingCard
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet
from impasto.train.engine import divergence, train_state
from impasto.train.engine.callbacks import DivergenceGuard
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.run_logger import Logger
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState
from impasto.train.runtime.distributed import Group


class Checkpointer:
    """Saves the state and the checkpoint every checkpoint_every steps, at the end, and when a signal came.

    Besides, it saves the network of the lowest validation loss.
    """

    def __init__(
        self,
        config: TrainConfig,
        directory: Path,
        card: Card,
        dtype: torch.dtype,
        modules: dict[str, nn.Module],
        optimizer: Optimizer,
        guard: DivergenceGuard,
        group: Group,
        logger: Logger,
    ) -> None:
        self.config = config
        self.directory = directory
        self.card = card
        self.dtype = dtype
        self.modules = modules
        self.optimizer = optimizer
        self.guard = guard
        self.group = group
        self.logger = logger

    def on_train_start(self, state: TrainState) -> None:
        """Save the start of a run, and what a killed session did not save."""
        self._save_best(state)
        if state.unsaved or not checkpoint_is_intact(self.directory, state.step):
            self._save(state)

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Save if it is due; raises DivergenceError instead of saving a diverged network."""
        due = state.is_due(self.config.trainer.checkpoint_every, self.config.trainer)
        if due or state.is_best():
            self.guard.check(state, metrics)  # the signal may have come after the guard's own check
            divergence.check_weights(self.modules["network"])
            self._save_best(state)
        if due:
            self._save(state)

    def _save(self, state: TrainState) -> None:
        state.unsaved = False
        if not self.group.is_main_process:
            return
        train_state.save(train_state.path(self.directory, state.step), self.modules, self.optimizer, state)
        self.logger.checkpoint(state.step, self._network(), self._card(state))

    def _save_best(self, state: TrainState) -> None:
        if state.is_best() and self.group.is_main_process:
            self.logger.best(self._network(), self._card(state))

    def _network(self) -> TransformNet | Store:
        average = self.modules["average"]
        assert isinstance(average, ModelEma) and isinstance(average.module, TransformNet | Store)
        return average.module

    def _card(self, state: TrainState) -> Card:
        settings = asdict(self.config.trainer)
        results = {
            "divergence": DivergenceCard(**settings["divergence"]),
            "optimizer": OptimizerCard(**asdict(self.config.optimizer)),
            "precision": str(self.dtype).removeprefix("torch."),
            "seed": self.config.seed,
            "steps": state.step,
            "images": state.step * self.config.trainer.batch_size,
            "seconds": round(state.seconds, 1),
            "rollbacks": state.rollbacks,
        }
        return replace(
            self.card,
            training=TrainingCard(**(settings | results)),
            validation=state.validation,
            init=state.origin,
        )


def checkpoint_is_intact(directory: Path, step: int) -> bool:
    """Whether a step has its checkpoint: a run may be killed between saving its state and its checkpoint."""
    try:
        checkpoint.load_any(checkpoint.path(directory, step))
    except UsageError:
        return False
    return True
