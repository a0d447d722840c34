import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig, TrainerConfig
from impasto.models.card import CropStage, OriginCard
from impasto.train.engine import recipe
from impasto.train.engine.paintings import Painting
from impasto.train.engine.train_state import TrainState
from tests.helpers.training import metrics_of

STAGES = [CropStage(128, [1.0, 2.0], 0.6), CropStage(256, [1.0, 1.25])]


def config(*lines: str) -> TrainConfig:
    return app.compose("train", ["data.root=photos", *lines])


def test_sentence_names_what_the_run_chose() -> None:
    sentence = recipe.sentence(config("trainer.minutes=4"), STAGES, OriginCard("zoo/udnie", "5e"))
    assert sentence == (
        "starting from zoo/udnie: crops of 128 px, 256 px from 60% of the budget, of photos of 256 to 320 px; painting "
        "of 768 px; soap at a learning rate of 0.006; 4 minutes"
    )
    both = recipe.sentence(config("trainer.minutes=4", "trainer.steps=900"), STAGES[1:], None)
    assert both.startswith("starting from random weights: crops of 256 px, of photos")
    assert both.endswith("; 900 steps or 4 minutes")
    assert recipe.sentence(config("trainer.steps=90000"), STAGES, None).endswith("; 90000 steps")
    assert recipe.sentence(config(), STAGES, None).endswith("; 30 minutes")


def test_warn_of_small_pictures_names_sides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    painting = tmp_path / "painting.png"
    Image.new("RGB", (900, 500)).save(painting)

    def warn(short_side: int, *lines: str, paintings: int = 1) -> None:
        settings = config(*lines)
        known = [Painting(settings.style, "5e", torch.zeros(1, 3, 1, 1), cast(Any, None))] * paintings
        recipe.warn_of_small_pictures(settings, known, STAGES[1], short_side)

    with caplog.at_level(logging.WARNING, "impasto"):
        warn(250, f"style={painting}")
        warn(256, f"style={painting}", "style.size=500")
        warn(0)
        warn(0, f"style={painting}", paintings=2)
    photos, style, *styles = caplog.messages
    assert "are only 250 px on the short side, and are enlarged to 256 to 320 px" in photos
    assert "the painting is only 500 px on the short side, and is enlarged to style.size=768" in style
    assert len(styles) == 2 and styles[0].startswith("the painting painting is only 500 px")


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (["trainer.steps=7"], 7),
        (["trainer.minutes=1"], 420),  # 60 % of 600 steps, and 40 % of a quarter of them
        (["trainer.steps=700", "trainer.minutes=1"], 420),
    ],
)
def test_expected_steps_counts_each_stage_at_its_speed(budget: list[str], steps: int) -> None:
    assert recipe.expected_steps(STAGES, config(*budget).trainer, 10) == steps


def warnings_of(
    budget: TrainerConfig, seconds_per_step: float, origin: OriginCard | None, caplog: pytest.LogCaptureFixture
) -> list[str]:
    state, check = TrainState(stages=STAGES, origin=origin), recipe.BudgetCheck(budget)
    caplog.clear()
    check.on_train_start(state)
    with caplog.at_level(logging.WARNING, "impasto"):
        for step in range(1, 30):
            state.advance(100 + step * seconds_per_step, False)
            check.on_step_end(state, metrics_of(state))
    return caplog.messages


def test_budget_check_small_budget_is_named_once_with_a_larger_one(caplog: pytest.LogCaptureFixture) -> None:
    minute, network = config("trainer.minutes=1").trainer, OriginCard("zoo/udnie", "5e")
    (message,) = warnings_of(minute, 0.1, None, caplog)
    assert "about 420 crops, and random weights need at least 1000; give trainer.minutes=3" in message
    assert warnings_of(minute, 0.1, network, caplog) == []
    (message,) = warnings_of(minute, 1, network, caplog)
    assert "about 42 crops, and the weights of another network need at least 250; give trainer.minutes=6" in message
    (message,) = warnings_of(config("trainer.steps=100", "trainer.batch_size=4").trainer, 1, None, caplog)
    assert message.endswith("about 400 crops, and random weights need at least 1000; give trainer.steps=250")


def test_budget_check_resumed_run_is_not_checked(caplog: pytest.LogCaptureFixture) -> None:
    state, check = TrainState(10, stages=STAGES), recipe.BudgetCheck(config("trainer.minutes=1").trainer)
    check.on_train_start(replace(state))
    for step in range(1, 10):
        state.advance(step, False)
        check.on_step_end(state, metrics_of(state))
    assert caplog.messages == []
