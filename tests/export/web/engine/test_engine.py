"""The engine of the page in a real browser: the same pictures as impasto-stylize on CPU and GPU, and what it loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.export.litert import writer
from impasto.models import transform_net
from impasto.models.image.decode import read
from tests.helpers.networks import LABEL
from tests.helpers.stylize import run_stylize, save
from tests.helpers.web_engine import (
    HEIGHT,
    NO_GPU,
    RESOLUTION,
    SOFTWARE_GPU,
    WIDTH,
    Site,
    difference,
    image,
    serving,
    site_of,
    store_model,
)

GRAIN = 4  # levels, of the style
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "native": ({"strokeResolution": "native"}, ["stroke_resolution=native"]),
    "auto": ({}, [f"stroke_resolution={RESOLUTION}", f"grain={GRAIN}"]),
    "half": ({"strokeResolution": 48, "strength": 0.37}, ["stroke_resolution=48", f"grain={GRAIN}", "strength=0.37"]),
    "whole": ({"strokeResolution": WIDTH}, [f"stroke_resolution={WIDTH}", f"grain={GRAIN}"]),
    "colors": (
        {"strokeResolution": "native", "keepColors": True, "strength": 0.8},
        ["stroke_resolution=native", "keep_colors=true", "strength=0.8"],
    ),
    "mask": ({"strokeResolution": "native", "mask": "small"}, ["stroke_resolution=native", "mask=MASK"]),
}


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
    listed = json.loads((folder / "cases.json").read_text())
    (folder / "cases.json").write_text(json.dumps(listed | {"style": listed["style"] | {"grain": GRAIN}}))
    with serving(folder) as site:
        result = site.run("cases", *SOFTWARE_GPU)
        check_cases(site, result, trained_file, tmp_path, bound, mask)
    assert not result["console"]
    runtime = "ONNX Runtime WASM" if prefer == "wasm" else "LiteRT WebGPU"
    assert {run["runtime"] for run in result["runs"]} == {result["info"]["runtime"]} == {runtime}
    assert result["info"]["reason"] == ({"code": "gpu.unwanted", "values": {}} if prefer == "wasm" else None)
    assert all(run["milliseconds"] > 0 for run in result["runs"])
    # Only the files of what runs are downloaded.
    assert site.fetched("model.") == ["model.onnx" if prefer == "wasm" else "model.tflite"]
    assert bool(site.fetched("runtime/ort")) == (prefer == "wasm") and bool(site.fetched("litert")) == (
        prefer != "wasm"
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "prefer", "flags", "expected"),
    [
        ("", "auto", NO_GPU, "gpu.none"),
        ("", "auto", SOFTWARE_GPU, "gpu.software"),
        ("absent", "webgpu", SOFTWARE_GPU, "gpu.files"),
        ("start", "webgpu", SOFTWARE_GPU, ("gpu.failed", "no memory")),
        ("wrong", "webgpu", SOFTWARE_GPU, ("gpu.wrong", 3)),
        ("compile", "webgpu", SOFTWARE_GPU, ("gpu.failed", "no shader")),
        ("run", "webgpu", SOFTWARE_GPU, ("gpu.failed", "out of memory")),
        ("lost", "webgpu", SOFTWARE_GPU, ("gpu.lost", "unplugged")),
        ("fp16", "webgpu", SOFTWARE_GPU, None),
    ],
)
def test_engine_without_a_gpu_that_works_runs_on_the_cpu(
    kind: str, prefer: str, flags: tuple[str, ...], expected: Any, tflite: bytes, inverter: Path, tmp_path: Path
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
    reasons = [result["before"]["reason"], result["after"]["reason"], result["runs"][-1]["reason"]]
    code, *values = expected if isinstance(expected, tuple) else (expected,)
    assert [one and one["code"] for one in reasons] == [code if at_start else None, code, code]
    assert [[*one["values"].values()] for one in reasons[1:] if one] == 2 * [values] * bool(code)
    last = result["runs"][-1]
    assert last["runtime"] == result["after"]["runtime"] == ("ONNX Runtime WASM" if code else "LiteRT WebGPU")
    assert difference(found, 255 - image(HEIGHT, WIDTH)).max() == 0


@pytest.mark.heavy
def test_style_costs_one_download_of_its_own_bytes(trained_file: Path, inverter: Path, tmp_path: Path) -> None:
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


@pytest.mark.heavy
def test_engine_blends_the_styles_of_a_store(tmp_path: Path) -> None:
    styles = [{"name": name, "stroke_resolution": None} for name in "ab"]
    files = {"store.onnx": store_model(), "model.tflite": b""}
    folder = site_of(tmp_path / "site", files, {"prefer": "wasm", "style": {"onnx": "store.onnx"}})
    described = json.loads((folder / "cases.json").read_text())
    entry = described["style"] | {"store": styles}
    weights = {"a": {"a": 1}, "b": {"b": 1}, "blend": {"a": 0.2, "b": 0.8}}
    described["cases"] = [{"name": name, "style": entry | {"weights": value}} for name, value in weights.items()]
    (folder / "cases.json").write_text(json.dumps(described))
    with serving(folder) as site:
        result = site.run("cases", *NO_GPU)
        first, second, blend = (site.pixels(name, (HEIGHT, WIDTH)) for name in weights)
    assert not result["console"] and site.requests.count("store.onnx") == 1
    rgb = image(HEIGHT, WIDTH)
    np.testing.assert_array_equal(first, 255 - rgb)
    np.testing.assert_array_equal(second, rgb)
    assert np.abs(blend - (0.2 * (255.0 - rgb) + 0.8 * rgb)).max() <= 0.51
