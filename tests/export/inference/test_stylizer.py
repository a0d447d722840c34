"""How the settings of impasto-stylize combine."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from impasto.configs.cli.app import compose
from impasto.export import test_images
from impasto.export.inference.model import Model
from impasto.export.inference.stylizer import Stylizer
from impasto.models.image import color, detail_transfer
from impasto.models.image.grain import add_grain
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


def test_stylizer_adds_grain_to_what_the_network_sees(inverter: Path) -> None:
    np.testing.assert_array_equal(stylize(inverter, "grain=3").rgb, 255 - add_grain(PHOTO.rgb, 3))
    small = resize(PHOTO.rgb, 60)
    large = detail_transfer.enlarge(255 - add_grain(small, 3), small, PHOTO.rgb)
    np.testing.assert_array_equal(stylize(inverter, "stroke_resolution=60", "grain=3").rgb, large)
    np.testing.assert_array_equal(stylize(inverter, "grain=3", "strength=0").rgb, PHOTO.rgb)


def test_stylizer_takes_the_grain_of_the_model_except_at_native_size(inverter: Path, tmp_path: Path) -> None:
    named, path = onnx.load(inverter), tmp_path / "named.onnx"
    onnx.helper.set_model_props(named, {"grain": "3.0"})
    onnx.save(named, path)
    grainy = 255 - add_grain(PHOTO.rgb, 3)
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=auto").rgb, grainy)
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=120").rgb, grainy)
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=native").rgb, 255 - PHOTO.rgb)
    np.testing.assert_array_equal(stylize(path, "grain=0").rgb, 255 - PHOTO.rgb)


@pytest.mark.parametrize("painting", ["night_cafe", "starry_night"])
def test_grain_gives_a_photo_of_one_color_strokes(painting: str) -> None:
    photo = Picture(np.full((192, 192, 3), 200, np.uint8))
    textures = []
    for grain in (0, 3):
        config = compose("stylize", [f"model=zoo/{painting}", "input=a", "output=b", f"grain={grain}"])
        inside = Stylizer(config, 1)(photo).rgb[48:-48, 48:-48]  # borders have strokes of their own
        textures.append(color.luminance(inside).std())
    assert textures[0] < 1 < 2 < textures[1]


def test_stylizer_by_default_takes_the_stroke_resolution_of_the_model(inverter: Path, tmp_path: Path) -> None:
    path = model(tmp_path / "model.onnx", stroke_resolution="60")
    expected = stylize(inverter, "stroke_resolution=60").rgb
    np.testing.assert_array_equal(stylize(path).rgb, expected)
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=auto").rgb, expected)
    config = compose("stylize", [f"model={path}", "input=a", "output=b"])
    np.testing.assert_array_equal(Stylizer(config, 1, frames=True)(PHOTO).rgb, expected)
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=native").rgb, 255 - PHOTO.rgb)
    larger = stylize(inverter, "stroke_resolution=90").rgb
    assert (larger != expected).any()
    np.testing.assert_array_equal(stylize(path, "stroke_resolution=90").rgb, larger)


def test_stylizer_of_12_megapixels_by_default_looks_whole_like_its_reduced_copy(
    trained_file: Path, tmp_path: Path
) -> None:
    network = onnx.load(trained_file)
    properties = {item.key: item.value for item in network.metadata_props}
    onnx.helper.set_model_props(network, properties | {"stroke_resolution": "360"})
    onnx.save(network, tmp_path / "model.onnx")
    photo = test_images.picture(3000, 4000)
    reduced = resize(photo, 1080)

    def stylized(rgb: NDArray[np.uint8], *settings: str) -> NDArray[np.float64]:
        lines = [f"model={tmp_path / 'model.onnx'}", "input=a", "output=b", *settings]
        return resize(Stylizer(compose("stylize", lines), 1)(Picture(rgb)).rgb, 1080).astype(float)

    whole, expected = stylized(photo), stylized(reduced)
    difference = np.abs(whole - expected)  # this network amplifies a level of the reduced photo 15 times
    assert difference.mean() < 2.5 and np.percentile(difference, 99.9) < 32
    native = np.abs(stylized(reduced, "stroke_resolution=native") - expected)
    assert native.mean() > 10 * difference.mean()  # so the strokes have another size


def test_stylizer_leaves_a_photo_below_the_stroke_resolution_at_its_size(tmp_path: Path) -> None:
    path = model(tmp_path / "model.onnx", stroke_resolution="121")
    np.testing.assert_array_equal(stylize(path).rgb, 255 - PHOTO.rgb)


def test_stylizer_applies_strength_before_keep_colors(inverter: Path) -> None:
    half = color.mix(255 - PHOTO.rgb, PHOTO.rgb, 0.5)
    result = stylize(inverter, "strength=0.5", "keep_colors=true")
    np.testing.assert_array_equal(result.rgb, color.keep_colors(half, PHOTO.rgb))


def test_stylizer_at_strength_zero_returns_the_photo_without_running_the_network(
    inverter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "stylize", None)
    assert stylize(inverter, "strength=0", "keep_colors=true").rgb is PHOTO.rgb


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
