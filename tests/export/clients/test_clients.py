"""The clients in a bundle: those in Kotlin are compiled and run, those in Swift are parsed."""

import re
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from impasto.configs.schema.stylize import DEFAULT_STROKE_RESOLUTION
from impasto.export import client_files, test_images
from impasto.export.inference import thumbnail_statistics
from impasto.export.onnx_graph import instance_norm, tiling
from impasto.models.image import grain
from impasto.models.image.decode import read
from impasto.models.image.grain import add_grain
from tests.helpers import swift
from tests.helpers.android import CLIENTS
from tests.helpers.client_cases import (
    CASES,
    CASES_BY_NAME,
    STROKE_CASES,
    STROKES,
    TILING,
    mask_of,
    photo_of,
    space_of,
)
from tests.helpers.stylize import run_stylize, save


def _expected(name: str, folder: Path) -> np.ndarray:
    """Return the expected result in floats: of ONNX Runtime or, for a case with controls, of impasto-stylize."""
    alpha, premultiplied, strength, pixels, *_ = CASES_BY_NAME[name][3:]
    photo = photo_of(name)
    opacity = photo[..., 3:] / 255 if alpha and premultiplied else np.ones((1, 1, 1))
    colors = photo[..., :3] / np.where(opacity == 0, 1, opacity)
    straight = np.concatenate([np.floor(colors + 0.5), photo[..., 3:]], axis=2).astype(np.uint8)
    if space := space_of(name):
        straight[..., :3] = _to_srgb(straight[..., :3], space)
        stored = (straight[..., :3] * opacity + 0.5).astype(int)  # premultiplied again, as bitmaps are
        straight[..., :3] = np.floor(stored / np.where(opacity == 0, 1, opacity) + 0.5).clip(0, 255)
    if len(CASES_BY_NAME[name]) > 7 or name in STROKE_CASES:
        blended = _run_command(name, straight, folder).astype(float)
    else:
        stylized = _in_tiles(straight, pixels, folder) if pixels else _whole(straight, folder)
        blended = (stylized * strength + straight * (1 - strength))[..., :3]
    return np.concatenate([blended * opacity, photo[..., 3:]], axis=2)


def _run_command(name: str, photo: np.ndarray, folder: Path) -> np.ndarray:
    """Return the result of impasto-stylize for a photo [H, W, 4] with the controls of a case."""
    strength, pixels, keep_colors = [*CASES_BY_NAME[name], False][5:8]
    settings = [f"strength={strength}", f"keep_colors={keep_colors}", f"tiles.threshold_mp={0 if pixels else 99}"]
    if (mask := mask_of(name)) is not None:
        if CASES_BY_NAME[name][10] == "ALPHA_8":
            mask[..., :3] = 255
        settings += [f"mask={save(folder / 'masks' / f'{name}.png', mask)}"]
        settings += [f"invert_mask={CASES_BY_NAME[name][11]}"]
    model = folder / "model.onnx"
    if name in STROKE_CASES:
        model = folder / "strokes" / "model.onnx"
        settings += [] if STROKE_CASES[name][0] == "default" else [f"stroke_resolution={STROKE_CASES[name][0]}"]
    source, output = save(folder / "photos" / f"{name}.png", photo), folder / f"{name}.png"
    run_stylize(model, source, output, "overwrite=true", *settings)
    return read(output).rgb


def _to_srgb(rgb: np.ndarray, space: str) -> np.ndarray:
    """Convert [H, W, 3] of 8 bits to sRGB; the matrix comes from the primaries (SMPTE EG 432-1, ITU-R BT.709)."""
    linear = rgb / 255
    if space == "DISPLAY_P3":
        linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
        p3, srgb = (
            _primaries(*values)
            for values in ((0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06))
        )
        linear = np.clip(linear @ (np.linalg.inv(srgb) @ p3).T, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.floor(encoded * 255 + 0.5).astype(np.uint8)


def _primaries(*xy: float) -> np.ndarray:
    """Return the matrix to CIE XYZ of three primaries, x and y of each, with the white point D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in zip(xy[::2], xy[1::2], strict=True)]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return np.asarray(columns * np.linalg.solve(columns, white))


def _session(folder: Path, name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(folder / name)


def _whole(photo: np.ndarray, folder: Path) -> np.ndarray:
    return np.asarray(_session(folder, "model.onnx").run(None, {"image": photo[None]})[0][0])


def _in_tiles(photo: np.ndarray, pixels: int, folder: Path) -> np.ndarray:
    model, stats = onnx.load(folder / "model.onnx"), _session(folder, "stats.onnx")
    statistics = thumbnail_statistics.statistics(
        photo[..., :3],
        pixels,
        lambda rgb: instance_norm.unpack(model, tiling.measure(stats, test_images.opaque(rgb))),
    )
    flat = [np.concatenate(values) for values in zip(*statistics, strict=True)]
    return tiling.stylize(_session(folder, "tile.onnx"), photo, np.stack(flat), TILING)


@pytest.mark.heavy
@pytest.mark.parametrize("name", CASES)
def test_kotlin_client_matches_python(name: str, kotlin: tuple[Path, dict[str, str]]) -> None:
    expected = _expected(name, kotlin[0])
    result = np.frombuffer((kotlin[0] / f"{name}.out").read_bytes(), np.uint8).reshape(expected.shape)
    alpha, premultiplied, strength, _, *controls = CASES[name][3:]
    rounding = 0.5 if (alpha and premultiplied) or 0 < strength < 1 else 0  # the client rounds twice
    rounding += 1 if controls else 0  # the luminance rounds, too
    assert np.abs(result - expected).max() <= (0 if strength == 0 else 1 + rounding)
    assert abs((result - expected).mean()) < 0.05  # rounded, not truncated
    assert np.array_equal(result[..., 3], expected[..., 3])


@pytest.mark.heavy
@pytest.mark.parametrize("name", STROKE_CASES)
def test_kotlin_client_at_a_stroke_resolution_matches_python(name: str, kotlin: tuple[Path, dict[str, str]]) -> None:
    """Of the tall photo, Pillow reduces the columns before the rows; noise overshoots in between, and is clipped."""
    expected = _expected(name, kotlin[0])
    result = np.frombuffer((kotlin[0] / f"{name}.out").read_bytes(), np.uint8).reshape(expected.shape)
    difference = result - expected
    assert np.abs(difference).max() <= (4 if name == "strokes_narrow" else 1.5)  # premultiplying rounds again
    assert np.abs(difference).mean() < 0.3 and abs(difference.mean()) < 0.05
    assert np.array_equal(result[..., 3], expected[..., 3])


@pytest.mark.heavy
def test_kotlin_client_reads_the_stroke_resolution_of_the_model(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert kotlin[1]["stroke resolutions"] == f"{STROKES} {STROKES}"


@pytest.mark.heavy
def test_grain_of_kotlin_is_that_of_python(kotlin: tuple[Path, dict[str, str]]) -> None:
    gray = np.full((530, 700, 4), 128, np.uint8)
    gray[..., :3] = add_grain(gray[..., :3], 3.5)
    assert kotlin[1]["grain"] == str(zlib.crc32(gray.tobytes()))


def test_grain_of_swift_has_the_numbers_of_python() -> None:
    swift_text, python = (CLIENTS / "swift" / "StyleTransferGrain.swift").read_text(), Path(grain.__file__).read_text()
    pairs = {
        "side = 512": "_SIDE = 512",
        "unit = 32.0": "_UNIT = 32",
        "sum: Int32 = 11539": "_SUM = 11539",
        "first = 141 * side * side": "_FIRST = 141 * _SIDE * _SIDE",
        "widths = [3, 3, 3, 5]": "_WIDTHS = (3, 3, 3, 5)",
        "(number ^ (number >> 16)) &* 0x85EB_CA6B": "(numbers ^ (numbers >> np.uint32(16))) * np.uint32(0x85EBCA6B)",
        "(bits ^ (bits >> 13)) &* 0xC2B2_AE35": "(numbers ^ (numbers >> np.uint32(13))) * np.uint32(0xC2B2AE35)",
        "bits ^ (bits >> 16)": "numbers ^ (numbers >> np.uint32(16))",
    }
    assert all(ours in swift_text and theirs in python for ours, theirs in pairs.items())


def test_clients_and_page_have_the_default_stroke_resolution_of_the_command() -> None:
    for path, declaration in (
        ("clients/kotlin/StyleTransferNetworks.kt", "const val DEFAULT_STROKE_RESOLUTION = "),
        ("clients/swift/StyleTransfer.swift", "static let defaultStrokeResolution = "),
        ("clients/swift/StyleTransferLarge.swift", "strokeResolution ?? "),
        ("web/engine/store.mjs", "export const DEFAULT_STROKE_RESOLUTION = "),
    ):
        text = (Path(str(CLIENTS)).parent / path).read_text()
        assert re.search(rf"{re.escape(declaration)}{DEFAULT_STROKE_RESOLUTION}\b", text), path


@pytest.mark.heavy
def test_kotlin_client_called_by_several_threads_gives_equal_results(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert sum(case[6] == 0 for case in CASES.values()) == 20
    assert kotlin[1]["threads equal"] == "20 of 20"


@pytest.mark.heavy
def test_kotlin_client_disables_telemetry_before_loading_onnx_runtime(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert kotlin[1]["set"] == "ORT_DISABLE_TELEMETRY=1 before loading"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("small", "IllegalArgumentException: The photo is 15x20 pixels; it must be at least 16x16"),
        ("strength", "IllegalArgumentException: strength is NaN; it must be from 0 to 1"),
        (
            "mask",
            "IllegalArgumentException: The mask is 20x18 pixels, but the photo is 20x20; "
            "their aspect ratios must be equal",
        ),
        ("threads", "IllegalArgumentException: threads is 0; it must be at least 1"),
        ("model", "OrtException"),
        ("strokes", "IllegalArgumentException: strokeResolution is 15; it must be null or at least 16"),
        ("large strokes", "IllegalArgumentException: strokeResolution is 15; it must be null or at least 16"),
        ("large small", "IllegalArgumentException: The photo is 20x15 pixels; it must be at least 16x16"),
        ("large strength", "IllegalArgumentException: strength is 1.5; it must be from 0 to 1"),
        (
            "large mask",
            "IllegalArgumentException: The mask is 9x12 pixels, but the photo is 20x20; "
            "their aspect ratios must be equal",
        ),
        ("large pixels", "IllegalArgumentException: thumbnailPixels is 0; it must be at least 1"),
        ("large threads", "IllegalArgumentException: threads is 0; it must be at least 1"),
        ("large closed", "IllegalStateException: This StyleTransferLarge is closed; create a new one"),
        ("closed", "IllegalStateException: This StyleTransfer is closed; create a new one"),
    ],
)
def test_kotlin_client_wrong_argument_throws_one_sentence(
    name: str, sentence: str, kotlin: tuple[Path, dict[str, str]]
) -> None:
    assert kotlin[1][name] == sentence


@pytest.mark.parametrize("name", [Path(name).name for name in client_files.CLIENTS if name.endswith(".swift")])
def test_swift_client_parses_without_syntax_error(name: str) -> None:
    assert swift.syntax_errors(Path(str(CLIENTS)) / "swift" / name) == []


@pytest.mark.parametrize(("name", "count"), [("StyleTransfer.swift", 2), ("StyleTransferLarge.swift", 1)])
def test_swift_client_takes_an_orientation_of_every_photo(name: str, count: int) -> None:
    text = (CLIENTS / "swift" / name).read_text()
    functions = re.findall(r"public func stylize\w*\((.*?)\) async throws", text, re.DOTALL)
    assert len(functions) == count
    assert all("orientation: CGImagePropertyOrientation = .up" in function for function in functions)


def test_swift_orientation_of_a_ui_image_is_that_of_the_same_name() -> None:
    """The numbers of UIImage.Orientation and of CGImagePropertyOrientation differ; the names do not."""
    text = (CLIENTS / "swift" / "StyleTransferBitmaps.swift").read_text()
    pairs = re.findall(r"case \.(\w+): return \.(\w+)", text)
    sides = ("up", "down", "left", "right")
    assert sorted(pairs) == sorted((name, name) for side in sides for name in (side, f"{side}Mirrored"))


def test_swift_clients_use_no_api_that_needs_a_reason_in_a_privacy_manifest() -> None:
    """Apple's list: UserDefaults, dates of files, the time since the start, free space, and keyboards."""
    names = r"UserDefaults|AppStorage|[mM]odificationDate|[cC]reationDate|ystemUptime|mach_absolute|vailableCapacity"
    sources = {path.name: path.read_text() for path in Path(str(CLIENTS)).rglob("*.swift")}
    assert "StyleTransferModels.swift" in sources
    assert [name for name, text in sources.items() if re.search(rf"{names}|FreeSize|activeInputModes", text)] == []
