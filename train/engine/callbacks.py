"""What a run does after each step. `Trainer._callbacks` lists the callbacks in the order of their calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from impasto.configs.schema.train import TrainerConfig
from impasto.models.store import networks_of
from impasto.train.data.dataset import to_pixels
from impasto.train.engine import divergence
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.paintings import by_painting
from impasto.train.engine.run_logger import Logger
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import MEASURES, TrainingLoss, named_measures
from impasto.train.runtime import distributed
from impasto.train.runtime.contact_sheet import to_bytes
from impasto.train.runtime.distributed import Group
from impasto.train.runtime.progress import Display
from impasto.train.runtime.signals import Interrupt

SAMPLES = 4  # photos on a sample sheet


class Callback(Protocol):
    """Work that a run does besides its steps. All processes call it alike."""

    def on_train_start(self, state: TrainState) -> None:
        """Called before the first step of a session, and again after each rollback."""

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Called after each step; `metrics` are those of the steps since the last row."""


class DivergenceGuard:
    """Raises DivergenceError before a row or a checkpoint of a diverged network is written."""

    def __init__(self, config: TrainerConfig) -> None:
        self.config = config
        self._checked = 0  # the last step that passed the check

    def on_train_start(self, state: TrainState) -> None:
        """A saved state has passed the check."""
        self._checked = state.step

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Check the metrics whenever a row or a checkpoint is due."""
        if state.is_due(self.config.log_every, self.config) or state.is_due(self.config.checkpoint_every, self.config):
            self.check(state, metrics)

    def check(self, state: TrainState, metrics: StepMetrics) -> None:
        """Raise DivergenceError if the steps since the last row diverged; does nothing for a checked step."""
        if self._checked == state.step:
            return
        loss, warmed_up = metrics.losses()["total"], state.step > self.config.warmup_steps
        divergence.check(self.config.divergence, loss, metrics.statistics(), state.recent_losses, warmed_up)
        self._checked = state.step


class MetricsLogger:
    """Writes a row of metrics.csv every log_every steps, and lists unreadable photos."""

    def __init__(
        self,
        config: TrainerConfig,
        group: Group,
        scheduler: LRScheduler,
        unreadable: list[str],
        logger: Logger,
        display: Display,
    ) -> None:
        self.config = config
        self.group = group
        self.scheduler = scheduler
        self.unreadable = unreadable  # validation photos
        self.logger = logger
        self.display = display

    def on_train_start(self, state: TrainState) -> None:
        """List the unreadable validation photos."""
        self.logger.skip(self.unreadable)

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Write a row if it is due."""
        if not state.is_due(self.config.log_every, self.config):
            return
        losses, batch_size = metrics.losses(), self.config.batch_size
        row = {
            "step": state.step,
            "images": state.step * batch_size,
            "seconds": round(state.seconds, 3),
            "images_per_second": round(metrics.steps_per_second(state) * batch_size, 3),
            "lr": float(self.scheduler.get_last_lr()[0]),
        } | losses
        self.logger.row(row)
        self.logger.skip(self.group.gather(metrics.unreadable))
        self.display.trained(state.fraction(self.config), row)
        state.recent_losses = [*state.recent_losses, losses["total"]][-divergence.RECENT :]
        metrics.reset(state)


class Validation:
    """Measures the losses of the averaged network on the validation photos every validate_every steps.

    The losses of a run of several paintings are means over them, and of each.
    """

    def __init__(
        self,
        config: TrainerConfig,
        photos: Tensor,
        network: nn.Module,
        training_losses: Sequence[TrainingLoss],
        names: Sequence[str],
        group: Group,
        interrupt: Interrupt,
        logger: Logger,
        display: Display,
    ) -> None:
        self.config = config
        self.photos = photos
        self.network = network
        self.training_losses = training_losses
        self.names = names
        self.group = group
        self.interrupt = interrupt
        self.logger = logger
        self.display = display

    def on_train_start(self, state: TrainState) -> None:
        """Validate the network before training, or if the last session did not get to it."""
        if state.validation_is_due(self.config):
            self._validate(state)

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Validate if it is due, unless the run is to stop: the next session does it then."""
        if not state.stop_requested and state.validation_is_due(self.config):
            self._validate(state)
            _, state.stop_requested = self.group.sync_clock_and_stop(0, self.interrupt.stop_requested)

    def _validate(self, state: TrainState) -> None:
        losses = self.group.broadcast_from_main(self.measure)
        if losses is None:
            return
        state.validation.append({"step": float(state.step)} | losses)
        state.unsaved = True
        row = {"step": float(state.step)} | {f"val_{name}": value for name, value in losses.items()}
        self.logger.row(row)
        self.display.validated(state.fraction(self.config), row)

    @torch.no_grad()
    def measure(self) -> dict[str, float] | None:
        """The mean losses on the validation photos; None if a signal came meanwhile."""
        networks, device = learned_networks(self.network, len(self.names)), self.training_losses[0].hardware.device
        sums = torch.zeros(len(self.names), len(MEASURES), device=device)
        for photo in self.photos.split(1):
            for number, (network, training_loss) in enumerate(zip(networks, self.training_losses, strict=True)):
                if self.interrupt.stop_requested:
                    return None
                stylized = stylize(network, photo, device)
                sums[number] += training_loss.measures(network, to_pixels(photo, device), stylized)
        means = sums / len(self.photos)
        return named_measures(means.mean(0)) | by_painting([named_measures(mean) for mean in means], self.names)


class SampleWriter:
    """Writes sample pictures of the averaged network every sample_every steps, at the end, and when a signal came."""

    def __init__(
        self,
        config: TrainerConfig,
        photos: Tensor,
        network: nn.Module,
        paintings: int,
        device: torch.device,
        group: Group,
        logger: Logger,
    ) -> None:
        self.config = config
        self.photos = photos[:SAMPLES]
        self.network = network
        self.paintings = paintings
        self.device = device
        self.group = group
        self.logger = logger

    def on_train_start(self, state: TrainState) -> None:
        """There is no sample before the first step."""

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Write samples if they are due."""
        if self.group.is_main_process and state.is_due(self.config.sample_every, self.config):
            networks = learned_networks(self.network, self.paintings)
            stylized = [to_bytes(stylize(network, self.photos, self.device)) for network in networks]
            self.logger.sample(state.step, self.photos.numpy(), stylized)


class StopSignal:
    """Ends the run after a signal, once it is saved."""

    def __init__(self, config: TrainerConfig, directory: Path, group: Group, interrupt: Interrupt) -> None:
        self.config = config
        self.directory = directory
        self.group = group
        self.interrupt = interrupt

    def on_train_start(self, state: TrainState) -> None:
        """Stop before the first step if a signal came by then."""
        _, state.stop_requested = self.group.sync_clock_and_stop(0, self.interrupt.stop_requested)
        self._stop(state)

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Raise KeyboardInterrupt with the command to resume, unless the run is complete."""
        self._stop(state)

    def _stop(self, state: TrainState) -> None:
        complete = state.fraction(self.config) >= 1 and not state.validation_is_due(self.config)
        if state.stop_requested and not complete:
            raise KeyboardInterrupt(
                f"saved at step {state.step}; resume with: {distributed.resume_command(self.directory)}"
            )


def learned_networks(average: nn.Module, paintings: int) -> list[nn.Module]:
    """The averaged network of each painting of a run: the last styles of a store, or the only network."""
    network = average.module if isinstance(average, ModelEma) else average
    networks: list[nn.Module] = [*networks_of(network)[-paintings:]]
    return networks or [network]


@torch.no_grad()
def stylize(network: nn.Module, photos: Tensor, device: torch.device) -> Tensor:
    """Pictures [N, 3, H, W] that a network in evaluation mode generates from photos uint8 [N, H, W, 3], one by one."""
    network.eval()
    return torch.cat([network(to_pixels(photo, device)) for photo in photos.split(1)])
