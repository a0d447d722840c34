"""The feed-forward trainer: Adam on the perceptual loss of photos (Johnson et al. 2016)."""

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint
from impasto.models.card import Card, CropStage
from impasto.models.console import Console
from impasto.models.store import Store, networks_of
from impasto.models.transform_net import TransformNet
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops
from impasto.train.data.random_crops import Batch, Crops, LoaderError, batches
from impasto.train.engine import divergence, paintings, run_identity, train_state
from impasto.train.engine.callbacks import (
    Callback,
    DivergenceGuard,
    MetricsLogger,
    SampleWriter,
    StopSignal,
    Validation,
)
from impasto.train.engine.checkpointer import Checkpointer, checkpoint_is_intact
from impasto.train.engine.divergence import DivergenceError
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.optimizer import build_optimizer, build_schedule, rollback_factor, trained_parameters
from impasto.train.engine.paintings import Painting
from impasto.train.engine.recipe import BudgetCheck
from impasto.train.engine.run_logger import Logger, NullLogger, RunLogger
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import TrainingLoss
from impasto.train.runtime import distributed
from impasto.train.runtime.device import Hardware
from impasto.train.runtime.distributed import Group
from impasto.train.runtime.progress import Display
from impasto.train.runtime.signals import Interrupt

logger = logging.getLogger(__name__)


class Trainer:
    """One run: steps until the budget is spent, and callbacks after each step.

    Args:
        config: The settings of the run.
        directory: The run directory.
        hardware: The device and the precision.
        network: The network with its initial weights, or a store whose last styles are the paintings.
        paintings: The paintings, whose losses are on the device.
        photos: The photos to train on, and those to validate on.
        stages: The stages of the crops; a resumed run has its own.
        card: The model card; the checkpoints add the results of the training to it.
        group: The processes of the run.
    """

    def __init__(
        self,
        config: TrainConfig,
        directory: Path,
        hardware: Hardware,
        network: TransformNet | Store,
        paintings: Sequence[Painting],
        photos: tuple[PhotoSet, PhotoSet],
        stages: list[CropStage],
        card: Card,
        group: Group,
    ) -> None:
        self.config = config
        self.directory = directory
        self.hardware = hardware
        self.card = card
        self.group = group
        self.network = network.train().to(hardware.device).to(memory_format=torch.channels_last)
        self.parameters = trained_parameters(self.network, config.freeze, len(paintings))
        self.average = ModelEma(self.network, config.trainer.ema_decay)
        self.names = [painting.name for painting in paintings]
        self.training_losses = [
            TrainingLoss(config, hardware, learned, painting.loss, painting.pixels, group)
            for learned, painting in zip(networks_of(self.network)[-len(paintings) :], paintings, strict=True)
        ]
        self.optimizer = build_optimizer(config, self.parameters)
        self.state = TrainState(identity=run_identity.identity(config, card), origin=card.init, stages=stages)
        self.photos = photos[0]
        self.val_photos, _, self.unreadable = validation_crops(photos[1], config.data.val_size)
        self._rollback_state: Path | None = None  # the state that the last rollback returned to

    def resume(self) -> None:
        """Load the newest intact state; raises UsageError if the run is complete or would minimize another loss."""
        identity, origin, stages = self.state.identity, self.state.origin, self.state.stages
        self.state, messages = self._load_newest_state()
        self.state.stages = self.state.stages or stages
        self.card = self.card.with_stages(self.state.stages)
        for message in messages:
            logger.warning("%s", message)
        run_identity.check(self.directory, self.state.identity, identity)
        self.state.identity = identity
        if self.state.origin is None:
            self.state.origin = origin
        budget = self.config.trainer
        complete = self.state.fraction(budget) >= 1 and not self.state.validation_is_due(budget)
        if self.group.is_main_process and complete and checkpoint_is_intact(self.directory, self.state.step):
            raise UsageError(
                f"resume={self.directory} is a run that is complete, after {self.state.step} steps; give it a larger "
                "budget with trainer.steps= or trainer.minutes="
            )

    def fit(self, console: Console) -> Path:
        """Train until the budget is spent.

        After a DivergenceError training returns to the last good state with a lower learning rate.

        Args:
            console: The console of the progress bar.

        Returns:
            The path of the last checkpoint.

        Raises:
            KeyboardInterrupt: A signal came; the run is saved, and the message says how to resume it.
            CheckFailed: Training diverged too often.
        """
        title = f"{self.config.model.name} on {self.config.style.name}"
        with Interrupt() as interrupt, Display(title, console) as display:
            while True:
                try:
                    self._train(interrupt, display)
                    return checkpoint.path(self.directory, self.state.step)
                except DivergenceError as error:
                    logger.warning("%s", self._roll_back(error))
                except KeyboardInterrupt as error:
                    if error.args:  # StopSignal's
                        raise
                    command = distributed.resume_command(self.directory)
                    raise KeyboardInterrupt(
                        f"stopped before step {self.state.step + 1} ended; resume with: {command}"
                    ) from None

    def _train(self, interrupt: Interrupt, display: Display) -> None:
        """One session: from the present state to the end of the budget, or to a DivergenceError."""
        state, device, main = self.state, self.hardware.device, self.group.is_main_process
        metrics, started = StepMetrics(self.group, device, state, self.names), time.monotonic() - state.seconds
        scheduler = build_schedule(self.config, self.optimizer, state)
        run_logger: Logger = RunLogger(self.directory, state.step, self.names) if main else NullLogger()
        with closing(run_logger), closing(self._batches()) as stream:
            callbacks = self._callbacks(scheduler, run_logger, display, interrupt)
            for callback in callbacks:
                callback.on_train_start(state)
            try:
                for batch, unreadable in stream:
                    number = paintings.of_step(self.config.seed, state.step, len(self.names))
                    with interrupt.stop_at_once(self.training_losses[number].forward.pending):
                        metrics.add(self._step(batch, self.training_losses[number]), unreadable, number)
                    clock = time.monotonic() - started
                    state.advance(*self.group.sync_clock_and_stop(clock, interrupt.stop_requested))
                    if state.enter_stages(self.config.trainer):
                        logger.info("step %d: crops of %d px from now on", state.step, state.stage.size)
                        for training_loss in self.training_losses:
                            training_loss.forward.compile_again()
                    scheduler.step()
                    for callback in callbacks:
                        callback.on_step_end(state, metrics)
            except LoaderError as error:
                raise self._save_without_data(
                    error, callbacks, metrics
                ) from None  # its cause is not a full disk of the run

    def _save_without_data(self, error: LoaderError, callbacks: list[Callback], metrics: StepMetrics) -> Exception:
        """Save what a session did before its photos were lost; the error to raise.

        Other processes of a group wait for their next step, so nothing that needs them can be saved.
        """
        if not self.state.step:
            return UsageError(str(error))
        if self.group.size == 1:
            self.state.stop_requested = True  # makes a save due
            for callback in callbacks:
                if isinstance(callback, Checkpointer | SampleWriter):
                    callback.on_step_end(self.state, metrics)
        saved = next(iter(train_state.states(self.directory))).stem
        command = distributed.resume_command(self.directory)
        return CheckFailed(f"{error}; training is saved as {saved}, resume with: {command}")

    def _callbacks(
        self, scheduler: LRScheduler, run_logger: Logger, display: Display, interrupt: Interrupt
    ) -> list[Callback]:
        """The callbacks of a session, in the order in which they are called."""
        config, group, guard = self.config.trainer, self.group, DivergenceGuard(self.config.trainer)
        modules, dtype, average, names = self._modules(), self.hardware.dtype, self.average, self.names
        losses, photos = self.training_losses, self.val_photos
        return [
            guard,
            BudgetCheck(config),
            MetricsLogger(config, group, scheduler, self.unreadable, run_logger, display),
            Validation(config, photos, average, losses, names, group, interrupt, run_logger, display),
            Checkpointer(
                self.config, self.directory, self.card, dtype, modules, self.optimizer, guard, group, run_logger
            ),
            SampleWriter(config, photos, average, len(names), self.hardware.device, group, run_logger),
            StopSignal(config, self.directory, group, interrupt),
        ]

    def _batches(self) -> Generator[Batch]:
        """The batches of each stage, until the budget is spent."""
        config, state, group, pin_memory = self.config, self.state, self.group, self.hardware.device.type == "cuda"
        crops = Crops(self.photos, config.data, config.seed, state.stages)
        while state.fraction(config.trainer) < 1:
            crops.stage = state.stage
            share = config.trainer.batch_size, state.step, pin_memory, group.rank, group.size
            with batches(crops, *share) as stream:
                while state.fraction(config.trainer) < 1 and state.stage == crops.stage:
                    yield next(stream)

    def _step(self, batch: Tensor, training_loss: TrainingLoss) -> Tensor:
        """Update the weights on a batch uint8 [N, H, W, 3]; MEASURES and divergence.STATISTICS before the update."""
        loss, measures = training_loss(to_pixels(batch, self.hardware.device), self.state.step)
        self.optimizer.zero_grad()
        loss.backward()
        self.group.average_gradients(self.parameters)
        self.optimizer.step()
        self.average.update(self.network, first=self.state.step == 0)
        return measures

    def _roll_back(self, error: DivergenceError) -> str:
        """Return to the last good state with a lower learning rate; a message on it, or CheckFailed after too often.

        A state from which training diverged before may hold the cause, so it is deleted for the one before it.
        """
        diverged, config = self.state, self.config.trainer.divergence
        if len(diverged.rollbacks) >= config.max_rollbacks:
            newest = self.group.broadcast_from_main(lambda: train_state.states(self.directory)[0])
            raise divergence.diagnosis(error, diverged.step, self._lr(), newest.stem + checkpoint.SUFFIX)
        states = train_state.states(self.directory) if self.group.is_main_process else []
        if len(states) > 1 and states[0] == self._rollback_state:
            states[0].unlink()
        self.state, _ = self._load_newest_state()
        self._rollback_state = train_state.path(self.directory, self.state.step)
        message = f"step {diverged.step}: {error}; returned to step {self.state.step}"
        self.state.seconds, self.state.rollbacks = diverged.seconds, [*diverged.rollbacks, message]
        self.state.unsaved = True
        count = len(self.state.rollbacks)
        return f"{message} with the learning rate lowered to {self._lr():.3g} ({count} of {config.max_rollbacks})"

    def _lr(self) -> float:
        """The learning rate after the warm-up and the rollbacks so far."""
        return self.config.optimizer.lr * rollback_factor(self.config, self.state)

    def _load_newest_state(self) -> tuple[TrainState, list[str]]:
        """Load the newest intact state in the main process, and broadcast it."""
        modules = self._modules()

        def read() -> tuple[Any, ...]:
            loaded = train_state.load_newest(self.directory, modules, self.optimizer)
            states = {name: module.state_dict() for name, module in modules.items()}
            return (loaded, states, self.optimizer.state_dict()) if self.group.size > 1 else (loaded,)

        loaded, *states = self.group.broadcast_from_main(read)
        if not self.group.is_main_process:
            for name, module in modules.items():
                module.load_state_dict(states[0][name])
            self.optimizer.load_state_dict(states[1])
        return loaded

    def _modules(self) -> dict[str, torch.nn.Module]:
        modules: dict[str, torch.nn.Module] = {"network": self.network, "average": self.average}
        averages = [loss.averages for loss in self.training_losses if loss.averages is not None]
        if averages:  # each painting has its averages
            modules["averages_of_loss"] = averages[0] if len(averages) == 1 else torch.nn.ModuleList(averages)
        return modules
