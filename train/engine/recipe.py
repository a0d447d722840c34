"""What a run chose by itself, in one sentence, and warnings about what limits its pictures."""

import logging
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from impasto.configs.schema.train import TrainConfig, TrainerConfig
from impasto.models.card import CropStage, OriginCard
from impasto.models.image import header
from impasto.train.engine.paintings import Painting
from impasto.train.engine.step_metrics import StepMetrics
from impasto.train.engine.train_state import TrainState

# Crops below which random weights give blurs, and those of another painting still show it (docs/experiments.md)
ENOUGH_FROM_RANDOM, ENOUGH_FROM_NETWORK = 1000, 250
TIMED = (5, 15)  # steps between which the speed is measured: the first ones compile, and follow a validation

logger = logging.getLogger(__name__)


def sentence(config: TrainConfig, stages: Sequence[CropStage], origin: OriginCard | None) -> str:
    """Return the start, the crops, the optimizer and the budget of a new run."""
    start = origin.name if origin else "random weights"
    crops = f"crops of {stages[0].size} px"
    for before, stage in pairwise(stages):
        crops += f", {stage.size} px from {before.until:.0%} of the budget"
    low, high = stages[-1].short_sides
    optimizer, budgets = config.optimizer, {"steps": config.trainer.steps, "minutes": config.trainer.minutes}
    limits = [f"{budget:g} {unit}" for unit, budget in budgets.items() if budget is not None]
    return (
        f"starting from {start}: {crops}, of photos of {low} to {high} px; painting of {config.style.size} px; "
        f"{optimizer.name} at a learning rate of {optimizer.lr:g}; {' or '.join(limits)}"
    )


def warn_of_small_pictures(
    config: TrainConfig, paintings: Sequence[Painting], stage: CropStage, short_side: int
) -> None:
    """Log that photos or a painting are enlarged, which blurs them.

    Args:
        config: The settings of the run.
        paintings: Its paintings.
        stage: The last stage.
        short_side: The short side of all but the smallest photos, as `photo_short_side` returns it.
    """
    low, high = stage.short_sides
    if 0 < short_side < low:
        logger.warning(
            "many photos of data.root=%s are only %d px on the short side, and are enlarged to %d to %d px; use larger "
            "photos, or a smaller style.size",
            *(config.data.root, short_side, low, high),
        )
    for painting in paintings:
        if painting.config.image is None:
            continue
        size = header.read(Path(painting.config.image))
        if (side := min(size.width, size.height)) < config.style.size:
            which = f"the painting {painting.name}" if len(paintings) > 1 else "the painting"
            logger.warning(
                "%s is only %d px on the short side, and is enlarged to style.size=%d; use a larger picture of it, or "
                "a smaller style.size",
                *(which, side, config.style.size),
            )


class BudgetCheck:
    """Warns as soon as the speed is known if the budget is too small."""

    def __init__(self, config: TrainerConfig) -> None:
        self.config = config
        self._started: float | None = None  # seconds of the run

    def on_train_start(self, state: TrainState) -> None:
        """A resumed run has been checked."""
        self._started = None

    def on_step_end(self, state: TrainState, metrics: StepMetrics) -> None:
        """Compare the crops that the budget allows with what a network needs."""
        first, last = TIMED
        if state.step == first:
            self._started = state.seconds
        if state.step != last or self._started is None:
            return
        steps_per_second = (last - first) / max(1e-9, state.seconds - self._started)
        crops = self.config.batch_size * expected_steps(state.stages, self.config, steps_per_second)
        start = "random weights" if state.origin is None else "the weights of another network"
        enough = ENOUGH_FROM_RANDOM if state.origin is None else ENOUGH_FROM_NETWORK
        if crops >= enough:
            return
        remedies = []
        if self.config.minutes is not None:
            remedies.append(f"trainer.minutes={math.ceil(self.config.minutes * enough / max(1, crops))}")
        if self.config.steps is not None:
            remedies.append(f"trainer.steps={math.ceil(enough / self.config.batch_size)}")
        logger.warning(
            "the budget is too small for a good picture: about %d crops, and %s need at least %d; give %s",
            *(crops, start, enough, " and ".join(remedies)),
        )


def expected_steps(stages: Sequence[CropStage], budget: TrainerConfig, steps_per_second: float) -> int:
    """Return about how many steps a budget allows, from the speed in the first stage."""
    limits = [math.inf if budget.steps is None else budget.steps]
    if budget.minutes is not None:
        begins = [0.0, *(stage.until for stage in stages)]
        relative = sum(  # to the speed in the first stage: a step's time grows with the pixels
            (stage.until - begin) * (stages[0].size / stage.size) ** 2
            for begin, stage in zip(begins, stages, strict=False)
        )
        limits.append(60 * budget.minutes * steps_per_second * relative)
    return int(min(limits))
