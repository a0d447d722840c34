"""How the settings of impasto-stylize combine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.configs.cli.app import compose
from impasto.export.inference.model import Model
from impasto.export.inference.stylizer import Stylizer
from impasto.models.image import detail_transfer
from impasto.models.image.picture import Picture, resize
from tests.helpers.onnx_models import model
from tests.helpers.stylize import noise

PHOTO = Picture(resize(noise(20, 30), 120), np.full((120, 180), 9, np.uint8), True, b"exif")


def stylize(model: Path, *settings: str) -> Picture:
    return Stylizer(compose("stylize", [f"model={model}", "input=a", "output=b", *settings]), 1)(PHOTO)


def test_stylizer_preserves_alpha_profile_and_exif(inverter: Path) -> None:
    result = stylize(inverter)
    np.testing.assert_array_equal(result.rgb, 255 - PHOTO.rgb)
    assert (result.alpha is PHOTO.alpha, result.had_profile, result.exif) == (True, True, b"exif")


def test_stylizer_with_stroke_resolution_enlarges_a_small_result(inverter: Path) -> None:
    small = resize(PHOTO.rgb, 60)
    large = detail_transfer.enlarge(255 - small, small, PHOTO.rgb)
    np.testing.assert_array_equal(stylize(inverter, "stroke_resolution=60").rgb, large)
    np.testing.assert_array_equal(stylize(inverter, "stroke_resolution=120").rgb, 255 - PHOTO.rgb)
    half = stylize(inverter, "stroke_resolution=60", "strength=0.5").rgb.astype(int)
    assert np.abs(half - (large.astype(float) + PHOTO.rgb) / 2).max() <= 1
    np.testing.assert_array_equal(stylize(inverter, "stroke_resolution=60", "strength=0").rgb, PHOTO.rgb)


def test_stylizer_applies_strength_before_keep_colors(tmp_path: Path) -> None:
    result = stylize(model(tmp_path / "model.onnx", strength=True), "strength=0", "keep_colors=true")
    np.testing.assert_array_equal(result.rgb, PHOTO.rgb)


def test_stylizer_for_frames_uses_the_video_threshold(inverter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiled, stylize_tiled = [], Model._stylize_tiled

    def record(model: Model, picture: Picture, *others: Any) -> Picture:
        tiled.append(picture)
        return stylize_tiled(model, picture, *others)

    monkeypatch.setattr(Model, "_stylize_tiled", record)
    frame = Picture(PHOTO.rgb)
    for limit, times in (("0.03", 0), ("0.02", 1)):
        settings = [f"model={inverter}", "input=a", "output=b", f"tiles.video_threshold_mp={limit}"]
        stylizer = Stylizer(compose("stylize", settings), 1, frames=True)
        np.testing.assert_array_equal(stylizer(frame).rgb, 255 - frame.rgb)
        assert len(tiled) == times
