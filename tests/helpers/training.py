"""What the tests of the training callbacks share."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.models.card import Card
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState
from impasto.train.engine.training_loss import MEASURES
from impasto.train.runtime.distributed import Group

CPU = torch.device("cpu")


class RecordingLogger:
    """A run's Logger that records what it is called with."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.samples: list[int] = []
        self.skipped: list[str] = []
        self.cards: list[Card] = []
        self.best_steps: list[int] = []

    def row(self, values: dict[str, float]) -> None:
        self.rows.append(values)

    def sample(self, step: int, photos: NDArray[np.uint8], stylized: Sequence[NDArray[np.uint8]]) -> None:
        assert all(photos.shape == pictures.shape for pictures in stylized)
        self.samples.append(step)

    def checkpoint(self, step: int, network: TransformNet | Store, card: Card) -> None:
        self.cards.append(card)

    def best(self, network: TransformNet | Store, card: Card) -> None:
        assert card.training is not None
        self.best_steps.append(card.training.steps)

    def skip(self, lines: Iterable[str]) -> None:
        self.skipped += lines

    def close(self) -> None:
        raise AssertionError


def measures(total: float, std: float = 50.0, saturated: float = 0.1) -> torch.Tensor:
    """The MEASURES and STATISTICS of a step."""
    return torch.tensor([total, *range(1, len(MEASURES)), std, saturated])


def metrics_of(state: TrainState, *totals: float, **statistics: float) -> StepMetrics:
    """The metrics of steps with these total losses, which follow `state`."""
    metrics = StepMetrics(Group(), CPU, state)
    for total in totals:
        metrics.add(measures(total, **statistics), [])
    return metrics
