"""impasto/stylization.py: what stylize and load take and return."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import ExifTags, Image

import impasto
from impasto.configs.cli.app import compose
from impasto.export.commands import stylize as command
from impasto.models import onnx_model
from impasto.models.image.decode import read
from tests.helpers.photos import photo
from tests.helpers.pictures import corners, swapped_profile

MODEL = "zoo/udnie/tiny"


def pixels(image: Image.Image) -> Any:
    return np.asarray(image)


@pytest.fixture
def style() -> impasto.Style:
    return impasto.load(MODEL)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photo of a camera: lying on its side, in another color space, with a date."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.DateTime] = "2024:05:06 07:08:09"
    path = tmp_path / "photo.jpg"
    Image.fromarray(corners(48, 64)).save(path, quality=95, exif=exif, icc_profile=swapped_profile())
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_saved_image_is_the_file_of_the_command(picture: Path, tmp_path: Path, suffix: str) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray(np.tile(np.arange(0, 240, 5, dtype=np.uint8), (64, 1))).save(mask)
    lines = [f"model={MODEL}", f"input={picture}", f"output={tmp_path / 'command'}{suffix}", f"mask={mask}"]
    command.task(compose("stylize", [*lines, "strength=0.7", "grain=3", "keep_colors=true", "invert_mask=true"]))
    image = impasto.stylize(picture, MODEL, strength=0.7, grain=3, keep_colors=True, mask=mask, invert_mask=True)
    image.save(tmp_path / f"api{suffix}")
    assert image.size == (48, 64)
    assert (tmp_path / f"api{suffix}").read_bytes() == (tmp_path / f"command{suffix}").read_bytes()
    assert Image.open(tmp_path / f"api{suffix}").getexif()[ExifTags.Base.DateTime] == "2024:05:06 07:08:09"


def test_photo_is_a_path_an_image_or_an_array(style: impasto.Style, picture: Path) -> None:
    expected = pixels(style(picture))
    with Image.open(picture) as image:
        np.testing.assert_array_equal(pixels(style(image)), expected)
    np.testing.assert_array_equal(pixels(style(str(picture))), expected)
    np.testing.assert_array_equal(pixels(style(read(picture).rgb)), expected)
    assert isinstance(style(read(picture).rgb), impasto.StylizedImage)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "I;16", "1"])
def test_image_of_any_mode_is_stylized(style: impasto.Style, mode: str) -> None:
    image = photo(0) if mode != "I;16" else Image.fromarray(np.full((60, 80), 30_000, np.uint16))
    image = image if mode == "I;16" else image.convert(mode)
    assert (style(image).mode, style(image).size) == ("RGB", (80, 60))  # opaque


def test_alpha_stays_and_shows_white_in_jpeg(style: impasto.Style) -> None:
    rgba = np.dstack([corners(), np.zeros((32, 48), np.uint8)])
    rgba[:16, :, 3] = 255
    stylized = style(rgba)
    np.testing.assert_array_equal(pixels(stylized)[..., 3], rgba[..., 3])
    file = io.BytesIO()
    stylized.save(file, "JPEG")
    assert pixels(Image.open(file))[-1].min() > 250
    assert stylized.mode == "RGBA"


def test_gray_array_is_stylized_as_its_rgb(style: impasto.Style) -> None:
    gray = corners()[..., 0]
    np.testing.assert_array_equal(pixels(style(gray)), pixels(style(np.dstack([gray] * 3))))


def test_settings_hold_for_one_call(style: impasto.Style) -> None:
    original = corners()
    full = pixels(style(original))
    np.testing.assert_array_equal(pixels(style(original, strength=0)), original)
    half = pixels(style(original, strength=np.float64(0.5))).astype(float)
    assert np.abs(half - (full.astype(float) + original) / 2).max() <= 1
    small = pixels(style(photo(0, (200, 160)), stroke_resolution=64))
    assert (small != pixels(style(photo(0, (200, 160)), stroke_resolution="native"))).any()
    np.testing.assert_array_equal(pixels(style(original)), full)


def test_load_opens_one_session_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    load = onnx_model.load

    def counted(path: Path, *arguments: Any, **keywords: Any) -> Any:
        opened.append(path)
        return load(path, *arguments, **keywords)

    monkeypatch.setattr(onnx_model, "load", counted)
    style = impasto.load(MODEL, threads=1)
    frames = [np.asarray(photo(seed)) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        stylized = [pixels(image) for image in pool.map(style, frames)]
    for frame, one in zip(frames, stylized, strict=True):
        np.testing.assert_array_equal(one, pixels(style(frame)))
    assert len(opened) == 1


def test_save_options_of_the_caller_win(style: impasto.Style, tmp_path: Path) -> None:
    image = style(photo(0))
    image.save(tmp_path / "good.jpg")
    image.save(tmp_path / "small.jpg", quality=10)
    image.save(tmp_path / "other.bmp")
    assert (tmp_path / "small.jpg").stat().st_size < (tmp_path / "good.jpg").stat().st_size / 2
    assert Image.open(tmp_path / "other.bmp").size == image.size
    with pytest.raises(ValueError, match="unknown file extension"):
        image.save(tmp_path / "other.xyz")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda style: style(corners(), strength=2), "strength=2 is invalid; it must be a number from 0 to 1"),
        (lambda style: style(corners(), stroke_resolution="big"), "stroke_resolution=big is invalid"),
        (lambda style: style(corners() / 255), "the photo is an array of float64 [32, 48, 3]; give uint8"),
        (lambda style: style(corners()[None]), "the photo is an array of uint8 [1, 32, 48, 3]; give uint8"),
        (lambda style: style(np.zeros((0, 4, 3), np.uint8)), "the photo is an array of uint8 [0, 4, 3]; give uint8"),
        (lambda style: style([1]), "the photo is of type list; give a path, a PIL image or a uint8 array"),
        (lambda style: style("no.jpg"), "no.jpg cannot be opened"),
        (lambda style: style(corners(), invert_mask=True), "invert_mask=True has no mask to invert; give mask="),
        (lambda style: style(corners(), mask=corners()[:4]), "the mask is 48x4, but the photo is 48x32"),
        (lambda style: impasto.load("zoo/udni"), "zoo/udni is not in the zoo; choose one of"),
        (lambda style: impasto.load(MODEL, tiles={"sid": 64}), "tiles.sid is not known (did you mean tiles.side?)"),
        (lambda style: impasto.load(MODEL, tiles={"side": 3}), "tiles.side=3 is invalid"),
        (lambda style: impasto.load(MODEL, tiles=["side"]), "tiles is of type list; give a dict"),  # type: ignore[arg-type]
        (lambda style: impasto.load(MODEL, threads=-1), "threads=-1 is invalid"),
        (lambda style: impasto.load(MODEL, frames=3), "frames is of type int; give True or False"),  # type: ignore[arg-type]
        (lambda style: impasto.load(None), "model is of type NoneType; give zoo/PAINTING"),  # type: ignore[arg-type]
    ],
)
def test_wrong_request_is_a_usage_error(style: impasto.Style, call: Callable[[Any], object], words: str) -> None:
    with pytest.raises(impasto.UsageError) as caught:
        call(style)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_style_of_a_store_is_chosen_by_name_or_weights(tmp_path: Path) -> None:
    from impasto.models import onnx_writer
    from impasto.models.contract import Label
    from tests.helpers.stores import NAMES, card_of, store_of

    path = tmp_path / "store.onnx"
    onnx_writer.write(store_of(), path, "uint8_rgba", Label.of(card_of()))
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    style = impasto.load(path, style="first")
    assert style.styles == [*NAMES] and style.stroke_resolution == 100
    first, second = pixels(style(photo)), pixels(style(photo, style="second"))
    assert np.abs(first.astype(int) - second).max() > 5
    blend = pixels(style(photo, style={"first": cast(Any, np.float32(0.5)), "second": 0.5}))
    np.testing.assert_array_equal(blend, pixels(impasto.stylize(photo, path, style="{first: 0.5, second: 0.5}")))
    np.testing.assert_array_equal(first, pixels(style(photo)))
    wrong: list[tuple[Any, str]] = [
        (None, "is a store of styles; choose one with style=: first, second, third"),
        ("fourth", "style=fourth is not in"),
        ({"first": 0.5}, r"sum to 0\.5"),
        ({"first": "1"}, "a weight of type str; give a number"),
        (["first"], "style is of type list"),
    ]
    for value, words in wrong:
        with pytest.raises(impasto.UsageError, match=words):
            impasto.stylize(photo, path, style=value)
