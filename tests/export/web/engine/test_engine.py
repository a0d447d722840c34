"""The engine of the page in a real browser: the same pictures as impasto-stylize on CPU and GPU, and what it loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.export.contract import Tolerance
from impasto.export.litert import writer
from impasto.export.onnx_graph import tiled_pair
from impasto.export.test_images import picture
from impasto.models import transform_net, zoo
from impasto.models.image.decode import read
from tests.helpers.networks import LABEL
from tests.helpers.stylize import run_stylize, save
from tests.helpers.web_engine import NO_GPU, SOFTWARE_GPU, Site, serving, write_site

MOBILE = zoo.resolve("zoo/starry_night", ".onnx")
HEIGHT, WIDTH, RESOLUTION = 131, 90, 72
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "native": ({"strokeResolution": "native"}, ["stroke_resolution=native"]),
    "auto": ({}, [f"stroke_resolution={RESOLUTION}"]),
    "half": ({"strokeResolution": 48, "strength": 0.37}, ["stroke_resolution=48", "strength=0.37"]),
    "colors": (
        {"strokeResolution": "native", "keepColors": True, "strength": 0.8},
        ["stroke_resolution=native", "keep_colors=true", "strength=0.8"],
    ),
    "mask": ({"strokeResolution": "native", "mask": "small"}, ["stroke_resolution=native", "mask=MASK"]),
}


def image(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture RGB [H, W, 3]."""
    return np.ascontiguousarray(picture(256, 256)[:height, :width])


def rgba(rgb: NDArray[np.uint8]) -> bytes:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]).tobytes()


def entry(folder: Path, url: str) -> dict[str, Any]:
    return {"url": url, "bytes": (folder / url).stat().st_size}


def described(name: str, folder: Path, **files: str) -> dict[str, Any]:
    """An entry of app.json for files in the folder."""
    return {"name": name, "stroke_resolution": RESOLUTION, "files": {key: entry(folder, url) for key, url in files.items()}}


def site_of(folder: Path, files: dict[str, bytes], cases: dict[str, Any]) -> Path:
    """Write a site with a picture and cases.json, in which a style is described by the names of its files."""
    rgb = image(HEIGHT, WIDTH)
    site = write_site(folder, {"picture": rgba(rgb), **files})
    for key in ("style", "styles"):
        if key in cases:
            styles = cases[key] if key == "styles" else [cases[key]]
            entries = [described(f"style{number}", site, **style) for number, style in enumerate(styles)]
            cases[key] = entries if key == "styles" else entries[0]
    cases.setdefault("picture", {"file": "picture", "width": WIDTH, "height": HEIGHT})
    (site / "cases.json").write_text(json.dumps(cases))
    return site


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.abs(one.astype(np.int64) - other)


@pytest.fixture
def tflite(tmp_path: Path, trained: transform_net.TransformNet) -> bytes:
    """The file of the trained network for the GPU."""
    writer.write(trained, tmp_path / "model.tflite", [(256, 256)], LABEL)
    return (tmp_path / "model.tflite").read_bytes()


def check_cases(site: Site, result: dict[str, Any], model: Path, folder: Path, bound: int, mask: Path) -> None:
    photo = save(folder / "photo.png", image(HEIGHT, WIDTH))
    for run in result["runs"]:
        settings = [setting.replace("MASK", str(mask)) for setting in CASES[run["name"]][1]]
        target = folder / "expected" / f"{run['name']}.png"
        run_stylize(model, photo, target, *settings)
        expected = read(target).rgb
        found = site.pixels(run["name"], expected.shape[:2])
        assert difference(found, expected).max() <= bound, run["name"]
        assert difference(found, image(HEIGHT, WIDTH)).mean() > 3


@pytest.mark.heavy
@pytest.mark.parametrize(("prefer", "bound"), [("wasm", 1), ("webgpu", 2)])
def test_engine_gives_the_pictures_of_impasto_stylize(
    prefer: str, bound: int, tflite: bytes, trained_file: Path, tmp_path: Path
) -> None:
    alpha = np.linspace(0, 255, 40 * 27).astype(np.uint8).reshape(40, 27)
    mask = save(tmp_path / "mask.png", alpha)
    files = {"model.onnx": trained_file.read_bytes(), "model.tflite": tflite}
    files["small"] = np.dstack([np.full((40, 27, 3), 9, np.uint8), alpha]).tobytes()
    style = {"onnx": "model.onnx", "tflite": "model.tflite"}
    cases = [{"name": name, **options} for name, (options, _) in CASES.items()]
    masks = {"small": {"file": "small", "width": 27, "height": 40}}
    folder = site_of(tmp_path / "site", files, {"prefer": prefer, "style": style, "cases": cases, "masks": masks})
    with serving(folder) as site:
        result = site.run("cases", *SOFTWARE_GPU)
        check_cases(site, result, trained_file, tmp_path, bound, mask)
    assert not result["console"]
    runtime = "ONNX Runtime WASM" if prefer == "wasm" else "LiteRT WebGPU"
    assert {run["runtime"] for run in result["runs"]} == {result["info"]["runtime"]} == {runtime}
    assert result["info"]["reason"] == ("the CPU was asked for" if prefer == "wasm" else None)
    assert all(run["milliseconds"] > 0 for run in result["runs"])
    # Only the files of what runs are downloaded.
    assert site.fetched("model.") == ["model.onnx" if prefer == "wasm" else "model.tflite"]
    assert bool(site.fetched("runtime/ort")) == (prefer == "wasm") and bool(site.fetched("litert")) == (prefer != "wasm")


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "prefer", "flags", "reason"),
    [
        ("", "auto", NO_GPU, "the browser has no GPU"),
        ("", "auto", SOFTWARE_GPU, "the GPU is one in software"),
        ("absent", "webgpu", SOFTWARE_GPU, "LiteRT is not in the folder of this page"),
        ("start", "webgpu", SOFTWARE_GPU, "no memory"),
        ("wrong", "webgpu", SOFTWARE_GPU, "the GPU is wrong by 3 of 255"),
        ("compile", "webgpu", SOFTWARE_GPU, "no shader"),
        ("run", "webgpu", SOFTWARE_GPU, "out of memory"),
        ("lost", "webgpu", SOFTWARE_GPU, "the GPU was lost (unplugged)"),
        ("fp16", "webgpu", SOFTWARE_GPU, None),
    ],
)
def test_engine_without_a_gpu_that_works_runs_on_the_cpu(
    kind: str, prefer: str, flags: tuple[str, ...], reason: str | None, tflite: bytes, inverter: Path, tmp_path: Path
) -> None:
    files = {"model.onnx": inverter.read_bytes(), "model.tflite": tflite}
    style = {"onnx": "model.onnx", "tflite": "model.tflite"}
    folder = site_of(tmp_path / "site", files, {"prefer": prefer, "style": style})
    stub = (Path(__file__).parent / "stub_litert.js").read_text().replace("KIND", kind)
    (folder / "runtime" / "litert.js").unlink() if kind == "absent" else (folder / "runtime/litert.js").write_text(stub)
    with serving(folder) as site:
        result = site.run("fallback", *flags)
        found = site.pixels("1", (HEIGHT, WIDTH))
    assert not result["console"]
    at_start = kind in ("", "absent", "start")
    assert result["before"]["reason"] == (reason if at_start else None)
    assert result["after"]["reason"] == reason
    last = result["runs"][-1]
    assert last["reason"] == reason
    assert last["runtime"] == result["after"]["runtime"] == ("ONNX Runtime WASM" if reason else "LiteRT WebGPU")
    assert difference(found, 255 - image(HEIGHT, WIDTH)).max() == 0


@pytest.mark.heavy
def test_style_costs_one_download_of_its_own_bytes(
    trained_file: Path, inverter: Path, tmp_path: Path
) -> None:
    files = {"one.onnx": inverter.read_bytes(), "two.onnx": trained_file.read_bytes()}
    folder = site_of(tmp_path / "site", files, {"styles": [{"onnx": "one.onnx"}, {"onnx": "two.onnx"}]})
    with serving(folder) as site:
        result = site.run("downloads", *NO_GPU)
    assert not result["console"]
    assert result["loaded"] == [len(files["one.onnx"]), len(files["two.onnx"]), 0]
    assert result["width"] == WIDTH  # the photo is still open
    start = site.requests.index("one.onnx")
    later = [path for path in site.requests[start + 1 :] if not path.startswith("runtime/")]
    assert later == ["two.onnx"] and site.requests.count("one.onnx") == 1
    wasm = [path for path in site.requests if path.endswith(".wasm")]
    assert wasm == ["runtime/ort-wasm-simd-threaded.wasm"]


@pytest.fixture
def pair(tmp_path: Path, trained_file: Path) -> dict[str, bytes]:
    """The two files for tiles of the trained network."""
    (tmp_path / "pair" / "android").mkdir(parents=True)
    tiled_pair.write(onnx.load(trained_file), tmp_path / "pair", 256, Tolerance(max_difference=2))
    names = {"stats.onnx": tiled_pair.STATS, "tile.onnx": tiled_pair.TILE}
    return {name: (tmp_path / "pair" / path).read_bytes() for name, path in names.items()}


def with_tiles(folder: Path) -> None:
    """Add what the manifest says of tile.onnx to the styles of cases.json."""
    properties = {item.key: int(item.value) for item in onnx.load(folder / "tile.onnx").metadata_props if item.key in ("margin", "multiple")}
    cases = json.loads((folder / "cases.json").read_text())
    for style in [cases["style"]] if "style" in cases else cases["styles"]:
        if "tile" in style["files"]:
            style["files"]["tile"] |= {"side": 256, **properties}
    (folder / "cases.json").write_text(json.dumps(cases))


@pytest.mark.heavy
def test_engine_in_tiles_gives_the_picture_of_impasto_stylize(
    pair: dict[str, bytes], trained_file: Path, tmp_path: Path
) -> None:
    height, width = 1003, 1201  # more than the engine runs at once
    rgb = picture(height, width)
    files = {"model.onnx": trained_file.read_bytes(), "large": rgba(rgb), **pair}
    style = {"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}
    cases = {"prefer": "wasm", "style": style, "cases": [{"name": "native", "strokeResolution": "native"}]}
    folder = site_of(tmp_path / "site", files, cases | {"picture": {"file": "large", "width": width, "height": height}})
    with_tiles(folder)
    with serving(folder) as site:
        result = site.run("cases", *NO_GPU)
    assert not result["console"] and site.fetched(".onnx") == ["stats.onnx", "tile.onnx"]
    target = tmp_path / "expected.png"
    settings = "stroke_resolution=native", "tiles.statistics=thumbnail", f"tiles.thumbnail_mp={(1 << 20) / 1e6}"
    run_stylize(trained_file, save(tmp_path / "photo.png", rgb), target, *settings)
    found = site.pixels("native", (height, width))
    assert difference(found, read(target).rgb).max() <= 2
    assert difference(found, read(target).rgb).mean() < 0.2  # weights of 16 bits


@pytest.mark.heavy
def test_engine_reports_what_is_wrong_by_codes(pair: dict[str, bytes], trained_file: Path, tmp_path: Path) -> None:
    height, width = 1003, 1201
    files = {"model.onnx": trained_file.read_bytes(), "large": rgba(picture(height, width)), **pair}
    styles = [{"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}, {"onnx": "model.onnx"}]
    large = {"file": "large", "width": width, "height": height}
    folder = site_of(tmp_path / "site", files, {"styles": styles, "picture": large})
    with_tiles(folder)
    with serving(folder) as site:
        result = site.run("failures", *NO_GPU)
    assert result["canceled"][0] == result["early"][0] == "AbortError"
    assert result["seen"][:2] == ["1/48", "2/48"] and len(result["seen"]) < 5
    assert result["again"] == 77
    assert [result[key][1] for key in ("missing", "damaged", "short")] == ["engine.style"] * 3
    assert "absent.onnx" in result["missing"][2]
    assert result["closed"][1] == "engine.closed"


@pytest.mark.heavy
@pytest.mark.parametrize("resolution", ["auto", "native"])
def test_photo_of_12_megapixels_needs_less_than_1500_mb(
    resolution: str, pair: dict[str, bytes], trained_file: Path, tmp_path: Path
) -> None:
    Image.fromarray(picture(3000, 4000)).save(tmp_path / "large.jpg", quality=90)
    files = {"model.onnx": MOBILE.read_bytes() if resolution == "auto" else trained_file.read_bytes(), **pair}
    files["large.jpg"] = (tmp_path / "large.jpg").read_bytes()
    style = {"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}
    folder = site_of(tmp_path / "site", files, {"style": style, "resolution": resolution})
    with_tiles(folder)
    if resolution == "auto":
        described = json.loads((folder / "cases.json").read_text())
        described["style"]["stroke_resolution"] = 768  # as in the zoo
        (folder / "cases.json").write_text(json.dumps(described))
    with serving(folder) as site:
        result = site.run("large", *NO_GPU, timeout=500)
    print(result)
    assert not result["console"]
    assert [size[:2] for size in result["sizes"]] == [[171, 128], [683, 512], [4000, 3000], [4000, 3000]]
    assert result["memory"] < 1500
