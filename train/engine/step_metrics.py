"""The mean losses of the steps since the last row of metrics.csv."""

import torch
from torch import Tensor

from impasto.train.engine import divergence
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import MEASURES, named_measures
from impasto.train.runtime.distributed import Group


class StepMetrics:
    """Sums that remain on the device until a mean is read, since reading waits for the device.

    Attributes:
        unreadable: A line on each photo that could not be read in these steps.
    """

    def __init__(self, group: Group, device: torch.device, state: TrainState) -> None:
        self._group = group
        self._device = device
        self.reset(state)

    def reset(self, state: TrainState) -> None:
        """Start again after the step of `state`."""
        self._sums = torch.zeros(len(MEASURES) + len(divergence.STATISTICS), device=self._device)
        self._steps = 0
        self._start_seconds = state.seconds
        self._means: Tensor | None = None
        self.unreadable: list[str] = []

    def add(self, measures: Tensor, unreadable: list[str]) -> "StepMetrics":
        """Add the MEASURES and divergence.STATISTICS of a step."""
        self._sums = self._sums + measures
        self._steps += 1
        self._means = None
        self.unreadable = self.unreadable + unreadable
        return self

    def losses(self) -> dict[str, float]:
        """The mean losses over steps and processes."""
        return named_measures(self._mean()[: len(MEASURES)])

    def statistics(self) -> list[float]:
        """The mean divergence.STATISTICS over steps and processes."""
        return self._mean()[len(MEASURES) :].tolist()

    def steps_per_second(self, state: TrainState) -> float:
        """The speed of these steps, by the clock of the run."""
        return self._steps / max(1e-9, state.seconds - self._start_seconds)

    def _mean(self) -> Tensor:
        if self._means is None:
            self._means = self._group.mean(self._sums / self._steps)
        return self._means
