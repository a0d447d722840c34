"""From one picture to another: how the controls add up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.configs.app import compose
from impasto.export import large
from impasto.export.painter import Painter
from impasto.models import texture
from impasto.models.pictures import Picture, resize
from tests.export.conftest import noise
from tests.models.made_models import model

PHOTO = Picture(resize(noise(20, 30), 120), np.full((120, 180), 9, np.uint8), True, b"exif")


def painted(model: Path, *settings: str) -> Picture:
    return Painter(compose("stylize", [f"model={model}", "input=a", "output=b", *settings]), 1)(PHOTO)


def test_what_is_no_colour_stays(inverter: Path) -> None:
    result = painted(inverter)
    np.testing.assert_array_equal(result.rgb, 255 - PHOTO.rgb)
    assert (result.alpha is PHOTO.alpha, result.had_profile, result.exif) == (True, True, b"exif")


def test_strokes_of_a_smaller_picture(inverter: Path) -> None:
    small = resize(PHOTO.rgb, 60)
    large = texture.enlarge(255 - small, small, PHOTO.rgb)
    np.testing.assert_array_equal(painted(inverter, "texture=60").rgb, large)
    np.testing.assert_array_equal(painted(inverter, "texture=120").rgb, 255 - PHOTO.rgb)
    half = painted(inverter, "texture=60", "strength=0.5").rgb.astype(int)
    assert np.abs(half - (large.astype(float) + PHOTO.rgb) / 2).max() <= 1
    np.testing.assert_array_equal(painted(inverter, "texture=60", "strength=0").rgb, PHOTO.rgb)


def test_strength_before_colours(tmp_path: Path) -> None:
    result = painted(model(tmp_path / "model.onnx", strength=True), "strength=0", "keep_colors=true")
    np.testing.assert_array_equal(result.rgb, PHOTO.rgb)


def test_large_frames_of_a_video_are_worked_on_in_tiles(inverter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut, in_tiles = [], large.Model._in_tiles

    def seen(model: large.Model, picture: Picture, *others: Any) -> Picture:
        cut.append(picture)
        return in_tiles(model, picture, *others)

    monkeypatch.setattr(large.Model, "_in_tiles", seen)
    frame = Picture(PHOTO.rgb)
    for limit, times in (("0.03", 0), ("0.02", 1)):
        painter = Painter(
            compose("stylize", [f"model={inverter}", "input=a", "output=b", f"tiles.frames={limit}"]), 1, True
        )
        np.testing.assert_array_equal(painter(frame).rgb, 255 - frame.rgb)
        assert len(cut) == times
