from pathlib import Path

import pytest

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig
from impasto.models.card import CropStage
from impasto.train.data import crop_stages
from impasto.train.data.dataset import PhotoSet
from tests.helpers.photos import photo


def plan(short_side: int, *lines: str) -> list[CropStage]:
    config: TrainConfig = app.compose("train", ["data.root=.", *lines])
    return crop_stages.plan(config.data, config.loss, config.style.size, short_side, config.model.stride)


def test_plan_divides_the_sizes_by_the_stride_of_the_network() -> None:
    assert [stage.size for stage in plan(375, "loss=johnson", "model=studio")] == [128, 256, 352]


@pytest.mark.parametrize(
    ("short_side", "sizes"),
    [(1080, [128, 256, 384]), (320, [128, 256, 320]), (300, [128, 256]), (205, [128, 200]), (150, [128]), (0, [128])],
)
def test_plan_grows_crops_as_far_as_photos_allow(short_side: int, sizes: list[int]) -> None:
    assert [stage.size for stage in plan(short_side, "loss=johnson")] == sizes


def test_plan_begins_with_crops_that_the_loss_needs() -> None:
    assert [stage.size for stage in plan(1080, "loss=strokes")] == [256, 384]
    assert [stage.size for stage in plan(100, "loss=strokes")] == [256]


def test_plan_last_stage_ends_the_budget() -> None:
    assert [stage.until for stage in plan(1080, "loss=johnson")] == pytest.approx([0.6, 0.84, 1])
    assert [stage.until for stage in plan(300, "loss=johnson")] == [0.6, 1]
    assert [stage.until for stage in plan(100, "loss=johnson")] == [1]


def test_plan_shows_photos_at_the_scale_of_the_painting() -> None:
    assert [stage.short_sides for stage in plan(1080, "style.size=768")] == [(512, 768), (512, 768)]
    small = plan(300, "style.size=256", "loss=johnson")
    assert [stage.short_sides for stage in small] == [(171, 256), (256, 320)]  # never smaller than the crop


def test_plan_given_settings_are_obeyed() -> None:
    assert plan(50, "data.size=256", "style.size=256") == [CropStage(256, [1.0, 1.25])]
    assert plan(50, "data.size=256", "data.scale_range=[2,3]") == [CropStage(256, [2.0, 3.0])]
    stages = plan(1080, "data.scale_range=[1,2]")
    assert [(stage.size, stage.scale_range) for stage in stages] == [(256, [1, 2]), (384, [1, 2])]


def test_photo_short_side_three_quarters_are_larger(tmp_path: Path) -> None:
    for number, side in enumerate((40, 60, 60, 60, 80, 90, 90, 90)):
        photo(0, (100, side)).save(tmp_path / f"{number}.png")
    (tmp_path / "bad.jpg").write_text("not a photo")
    assert crop_stages.photo_short_side(PhotoSet(tmp_path, "data.root")) == 60


def test_photo_short_side_without_readable_header_is_zero(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("not a photo")
    assert crop_stages.photo_short_side(PhotoSet(tmp_path, "data.root")) == 0
