"""The page in a real browser: the whole road of a photo, as impasto-stylize does it."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from impasto.export.test_images import picture
from impasto.export.webapp import runtime, site
from impasto.models import zoo
from impasto.models.image.decode import read
from tests.helpers.heavy import tool
from tests.helpers.stylize import run_stylize, save
from tests.helpers.web_engine import SOFTWARE_GPU, store_model
from tests.helpers.webapp import drive, page, serving

pytestmark = pytest.mark.heavy
STYLE = zoo.resolve("zoo/udnie/tiny", ".onnx")
STYLES = "zoo/starry_night/tiny", "zoo/udnie/tiny"
HOSTILE = "<img src=x onerror=alert(1)>\u202e" + 300 * "W"
SHOWN = 1080  # px of the short side at which a style without a stroke resolution is shown, and saved


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo with EXIF data, turned by its orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Model] = "A camera"
    exif[ExifTags.Base.DateTime] = "2026:11:29 12:00:00"
    pixels = np.ascontiguousarray(picture(256, 256)[:180, :240])
    return save(tmp_path / "photo.jpg", pixels, quality=95, exif=exif)


@pytest.fixture
def expected(photo: Path, tmp_path: Path) -> NDArray[np.uint8]:
    """What impasto-stylize makes of it."""
    run_stylize(STYLE, photo, tmp_path / "expected" / "photo.png", f"stroke_resolution={SHOWN}")
    run_stylize(STYLE, photo, tmp_path / "expected" / "broad.png", "stroke_resolution=90")  # half of its short side
    return read(tmp_path / "expected" / "photo.png").rgb


def difference(path: Path, expected: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.abs(read(path).rgb.astype(float) - expected.astype(float))


def test_road_of_a_photo_saves_what_the_command_does(photo: Path, expected: NDArray[np.uint8], tmp_path: Path) -> None:
    with page(*STYLES) as url:
        report = drive("drive_road.mjs", url, tmp_path)
    original = read(photo).rgb
    assert original.shape == (240, 180, 3)
    for name in ("phone", "desktop"):
        seen = report[name]
        assert seen["isolated"] and not seen["overflow"]
        assert "ONNX Runtime WASM" in seen["note"] and " s on " in seen["note"]
        assert (seen["name"], seen["jpeg"]) == ("photo-udnie.png", "photo-udnie.jpg")
        assert seen["hold"] == {"held": ["hidden", True], "released": "visible"} and seen["split"] == "29%"
        painted = tmp_path / f"{name}-painted.png"
        assert difference(painted, expected).max() <= 1 and difference(painted, expected).mean() < 0.05
        half = (expected.astype(float) + original) / 2
        assert difference(tmp_path / f"{name}-half.png", half).max() <= 1.5
        luma = [0.299, 0.587, 0.114]
        colors = np.clip(original + ((expected.astype(float) - original) @ luma)[..., None], 0, 255)
        assert difference(tmp_path / f"{name}-colors.png", colors).max() <= 2
        _assert_mask(tmp_path / name, expected, original)
        broad = read(tmp_path / "expected" / "broad.png").rgb
        assert difference(tmp_path / f"{name}-strokes.png", broad).max() <= 1 and np.abs(broad - expected).mean() > 1
        _assert_jpeg(tmp_path / f"{name}-photo.jpg", tmp_path / f"{name}-strokes.png")
        assert difference(tmp_path / f"{name}-shown.png", read(tmp_path / f"{name}-strokes.png").rgb).max() <= 1


def _assert_mask(prefix: Path, expected: NDArray[np.uint8], original: NDArray[np.uint8]) -> None:
    """A stroke of the brush from (0.25, 0.25) to (0.25, 0.75) shows the photo there, and the painting elsewhere."""
    masked, inverted = (Path(f"{prefix}-{name}.png") for name in ("mask", "inverted"))
    inside, outside = (slice(80, 160), slice(42, 48)), (slice(80, 160), slice(90, 180))
    assert np.abs(expected[inside].astype(int) - original[inside]).mean() > 5
    for path, here, there in ((masked, original, expected), (inverted, expected, original)):
        assert difference(path, here)[inside].max() <= 1 and difference(path, there)[outside].max() <= 1
    assert difference(Path(f"{prefix}-cleared.png"), expected).max() <= 1


def _assert_jpeg(path: Path, png: Path) -> None:
    with Image.open(path) as image:
        exif = image.getexif()
        assert image.format == "JPEG" and image.size == (180, 240)
    assert exif[ExifTags.Base.Model] == "A camera" and exif[ExifTags.Base.DateTime] == "2026:11:29 12:00:00"
    assert exif[ExifTags.Base.Orientation] == 1
    assert difference(path, read(png).rgb).mean() < 6


def test_page_blends_two_styles_of_a_store(photo: Path, inverter: Path, tmp_path: Path) -> None:
    """The first style of this store inverts colors, the second keeps them and has names that mean something else.

    Another style, of no store, has the title of the first.
    """
    (tmp_path / "store.onnx").write_bytes(store_model())
    style = site.Style("store", "Store", "unknown", "MIT", None, tmp_path / "store.onnx")
    alone = site.Style("alone", "A", "unknown", "MIT", None, inverter)
    files = site.contents([style, alone], runtime.runtime_files(tool("onnxruntime-web").parents[1]))
    app = json.loads(site.read(files[site.STYLES]))
    names = {"title": "A", "artist": "constructor", "license": "MIT", "thumbnail": None, "stroke_resolution": None}
    app["styles"][0]["store"] = [names | {"name": "a"}, names | {"name": "constructor", "title": HOSTILE}]
    files[site.STYLES] = json.dumps(app).encode()
    with serving(files) as port:
        report = drive("drive_blend.mjs", f"http://127.0.0.1:{port}/", tmp_path)
    assert report["styles"] == ["", "a", "constructor", "alone"] and report["others"] == ["constructor"]
    assert report["labels"] == ["\u0627\u0635\u0644\u06cc", "A (Store)", HOSTILE, "A"]
    assert report["again"] == "The picture is ready. Press Share once more."
    clean = HOSTILE.replace("\u202e", "")
    shared = ["share", "photo-a.png", "image/png", 180, 240]
    assert report["given"] == [shared, shared, ["copy", "photo-a.png", "image/png", 180, 240]]
    assert report["about"] == [clean, False]
    assert report["blend"] == ["25% / 75%", f"25% A (Store), 75% {clean}"]
    shares = "\u06f2\u06f5\u066a", "\u06f7\u06f5\u066a"
    isolated = [f"\u2068{title}\u2069" for title in ("A (Store)", clean)]
    assert report["share"] == [" / ".join(shares), f"{shares[0]} {isolated[0]}\u060c {shares[1]} {isolated[1]}"]
    assert (report["panels"], report["tab"]) == (["adjust-strength"], ["tab-strength"])
    original = read(photo).rgb.astype(float)
    assert difference(tmp_path / "a.png", 255 - original).max() <= 1
    assert difference(tmp_path / "blend.png", 0.25 * (255 - original) + 0.75 * original).max() <= 1


def test_page_on_the_gpu_saves_what_the_command_does(photo: Path, expected: NDArray[np.uint8], tmp_path: Path) -> None:
    with page(*STYLES) as url:
        report = drive("drive_gpu.mjs", url, tmp_path, *SOFTWARE_GPU)
    assert "WebGPU" in report["note"] and "LiteRT" in report["about"]
    found = difference(tmp_path / "gpu.png", expected)  # the zoo's ONNX files store 8 bits, its LiteRT files 16
    assert found.max() <= 8 and found.mean() < 0.5
