"""The mean losses of the steps since the last row of metrics.csv."""

from collections.abc import Sequence

import torch
from torch import Tensor

from impasto.train.engine import divergence, paintings
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import MEASURES, named_measures
from impasto.train.runtime.distributed import Group


class StepMetrics:
    """Sums that remain on the device until a mean is read, since reading waits for the device.

    Args:
        group: The processes of the run.
        device: The device of the measures.
        state: The state that the first steps follow.
        names: The names of the paintings of the run; of a single one, nothing is counted by painting.

    Attributes:
        unreadable: A line on each photo that could not be read in these steps.
    """

    def __init__(self, group: Group, device: torch.device, state: TrainState, names: Sequence[str] = ("",)) -> None:
        self._group = group
        self._device = device
        self._names = names
        self.reset(state)

    def reset(self, state: TrainState) -> None:
        """Start again after the step of `state`."""
        measures = len(MEASURES) + len(divergence.STATISTICS)
        self._sums = torch.zeros(len(self._names), measures, device=self._device)
        self._steps = [0] * len(self._names)
        self._start_seconds = state.seconds
        self._means: Tensor | None = None
        self.unreadable: list[str] = []

    def add(self, measures: Tensor, unreadable: list[str], painting: int = 0) -> "StepMetrics":
        """Add the MEASURES and divergence.STATISTICS of a step that learned the painting of this number."""
        self._sums[painting] += measures
        self._steps[painting] += 1
        self._means = None
        self.unreadable = self.unreadable + unreadable
        return self

    def losses(self) -> dict[str, float]:
        """The mean losses over steps and processes; also of each painting that a step learned."""
        means = self._mean()[:, : len(MEASURES)]
        learned = [named_measures(mean) if steps else {} for mean, steps in zip(means[1:], self._steps, strict=True)]
        return named_measures(means[0]) | paintings.by_painting(learned, self._names)

    def statistics(self) -> list[float]:
        """The mean divergence.STATISTICS over steps and processes."""
        return self._mean()[0, len(MEASURES) :].tolist()

    def steps_per_second(self, state: TrainState) -> float:
        """The speed of these steps, by the clock of the run."""
        return sum(self._steps) / max(1e-9, state.seconds - self._start_seconds)

    def _mean(self) -> Tensor:
        """The means of all steps, and of those of each painting: [1 + paintings, measures]."""
        if self._means is None:
            steps = torch.tensor([max(1, sum(self._steps)), *(max(1, steps) for steps in self._steps)])
            sums = torch.cat([self._sums.sum(0, keepdim=True), self._sums])
            self._means = self._group.mean(sums / steps[:, None].to(sums.device))
        return self._means
