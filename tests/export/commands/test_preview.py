"""impasto-preview: the server, and the page in a real browser."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.errors import UsageError
from impasto.export.commands import preview
from impasto.export.validation import ort_web
from impasto.models import zoo
from impasto.models.image import color, detail_transfer
from impasto.models.image.decode import read
from impasto.models.image.picture import Picture, resize
from impasto.models.onnx_model import load, stylize
from tests.helpers.bundles import Written
from tests.helpers.heavy import tool
from tests.helpers.preview import PAINTING, STYLE, request, seal, serving, write_bundle
from tests.helpers.stylize import run_stylize, save


@pytest.mark.parametrize("reference", ["zoo/starry_night/tiny", "run"])
def test_preview_of_an_exported_file_serves_what_the_page_reads(reference: str, tools: Path, tmp_path: Path) -> None:
    model = zoo.resolve("zoo/starry_night/tiny", ".onnx")
    if reference == "run":
        reference = str(tmp_path)
        (tmp_path / "step_00000003.safetensors").touch()
        (tmp_path / "last.onnx").write_bytes(model.read_bytes())
    with preview._bundle(reference) as (folder, listed), serving(folder, tools, listed) as port:
        response, body = request(port, "/android/model.onnx")
        assert response.status == 200 and body == model.read_bytes()
        manifest = json.loads(request(port, "/manifest.json")[1])
        assert request(port, "/preview/")[0].status == 200
    assert manifest["style"] == {"name": "starry_night", "stroke_resolution": None}
    assert manifest["licenses"] == [{"part": "painting", "author": "Vincent van Gogh", "license": "public domain"}]
    assert manifest["files"] == {"android/model.onnx": {"bytes": len(model.read_bytes())}}
    assert not folder.exists()


def test_server_serves_the_bundle_and_the_files_of_its_page(bundle: Path, tools: Path) -> None:
    with serving(bundle, tools) as port:
        for path, kind, content in (
            ("/preview/", "text/html; charset=utf-8", ort_web.PAGE[0].read_bytes()),
            ("/preview/style.css", "text/css; charset=utf-8", ort_web.PAGE[1].read_bytes()),
            ("/preview/page.js", "text/javascript; charset=utf-8", ort_web.PAGE[2].read_bytes()),
            ("/preview/worker.mjs?1", "text/javascript; charset=utf-8", ort_web.PAGE[3].read_bytes()),
            ("/preview/strokes.mjs", "text/javascript; charset=utf-8", ort_web.PAGE[4].read_bytes()),
            ("/preview/ort-wasm-simd-threaded.wasm", "application/wasm", b"runtime"),
            ("/manifest.json", "application/json", (bundle / "manifest.json").read_bytes()),
            ("/android/model.onnx", "application/octet-stream", (bundle / "android/model.onnx").read_bytes()),
        ):
            response, body = request(port, path)
            assert (response.status, response.getheader("Content-Type"), body) == (200, kind, content), path
            assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
            assert response.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
            head, body = request(port, path, "HEAD")
            assert (head.getheader("Content-Length"), body) == (str(len(content)), b"")
        for path in ("/", "/preview"):
            assert request(port, path)[0].getheader("Location") == "/preview/"
        assert request(port, "/", "POST")[0].status == 501


def test_server_of_a_bundle_with_a_page_needs_no_tools(bundle: Path, tools: Path) -> None:
    ort_web.copy_page(bundle, tools)
    assert sorted(path.name for path in (bundle / "preview").iterdir()) == [
        *("index.html", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
        *("ort.wasm.min.mjs", "page.js", "strokes.mjs", "style.css", "worker.mjs"),
    ]
    (bundle / "preview/index.html").write_text("of the bundle")
    seal(bundle)
    with serving(bundle, None) as port:
        assert request(port, "/preview/")[1] == ort_web.PAGE[0].read_bytes()
        assert request(port, "/preview/ort.wasm.min.mjs")[1] == b"runtime"
    (tools / "node_modules/onnxruntime-web/dist/ort.wasm.min.mjs").write_text("named by the user")
    with serving(bundle, tools) as port:
        assert request(port, "/preview/ort.wasm.min.mjs")[1] == b"named by the user"


def test_server_with_wrong_arguments_raises_one_sentence(bundle: Path, tools: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bundle=.*absent is not a folder; name one that"):
        preview.server(tmp_path / "absent", tools)
    for absent in (None, tmp_path / "absent"):
        with pytest.raises(UsageError, match=r"neither in the bundle nor in tools_dir=.*; run `npm install"):
            preview.server(bundle, absent)
    with serving(bundle, tools) as port, pytest.raises(UsageError, match=f"port={port} cannot be used: .*; name"):
        preview.server(bundle, tools, port)


@pytest.mark.slow
def test_preview_stops_on_ctrl_c_with_exit_code_0(bundle: Path, tools: Path) -> None:
    program = (
        # A shell starts background jobs with Ctrl-C ignored.
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from impasto.export.commands.preview import main\nmain()\n"
        "assert not {'torch', 'onnx', 'onnxruntime', 'PIL'} & set(sys.modules)\nprint('ended')\n"
    )
    command = [sys.executable, "-c", program, f"bundle={bundle}", f"tools_dir={tools}", "open=false"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            port = int(line.rpartition(f"http://{preview.HOST}:")[2].partition("/")[0])
            assert request(port, "/preview/")[0].status == 200
            process.send_signal(signal.SIGINT)
            assert (*process.communicate(timeout=20), process.returncode) == ("ended\n", "", 0)
        finally:
            process.kill()


@pytest.mark.heavy
def test_page_in_a_browser_stylizes_like_onnx_runtime(written: Written, tmp_path: Path) -> None:
    models = {
        "android/model.onnx": written("mobile", "uint8_rgba").read_bytes(),
        "android/model.int8.onnx": written("johnson", "float32_rgb").read_bytes(),
    }
    bundle = write_bundle(tmp_path / "bundle", models)
    folder, rgb = tmp_path / "images", noise(66, 91)
    folder.mkdir()
    for name, pixels in ("photo.png", rgb), ("large.png", noise(400, 700)), ("small.png", rgb[:9, :9]):
        Image.fromarray(pixels).save(folder / name)
    mask = noise(66, 91)[..., 0]
    Image.fromarray(mask).save(folder / "mask.png")
    (folder / "text.jpg").write_text("not an image")
    script = Path(__file__).with_name("drive_page.mjs")
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    with serving(bundle, tool("onnxruntime-web").parents[1]) as port:
        url = f"http://{preview.HOST}:{port}/"
        command = [programs[0], script, *programs[1:], url, folder]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["console"] == [] and report["external"] == [] and report["isolated"]
    assert all(value in report["credit"] for value in (STYLE.name, PAINTING.author, PAINTING.license))
    assert [model.partition(",")[0] for model in report["models"]] == ["fp32", "int8"]
    assert (
        re.match(r"91 . 66 in \d+\.\d\d s, \d threads?$", report["status"])
        and report["name"] == "photo-Swirls-waves.png"
    )
    assert (report["dragged"], report["pressed"], report["size"]) == ("25%", "24%", [512, 293])
    assert re.match("The photo has 9 . 9 pixels; choose", report["errors"]["small.png"])
    assert re.match("The mask has 700 . 400 pixels, but the photo has 91 . 66; choose", report["errors"]["mask"])
    assert report["errors"]["text.jpg"].startswith("text.jpg is not an image")

    stylized = stylize(load(written("mobile", "uint8_rgba")), Picture(rgb)).rgb
    session = onnxruntime.InferenceSession(written("johnson", "float32_rgb"))
    (other,) = session.run(None, {"image": rgb.transpose(2, 0, 1)[None].astype(np.float32)})
    other = other[0].transpose(1, 2, 0).round().clip(0, 255)
    for name, expected in ("stylized.png", stylized), ("other.png", other):
        assert difference(folder / name, expected).max() <= 1 and difference(folder / name, expected).mean() < 0.01
    assert difference(folder / "half.png", (stylized.astype(float) + rgb) / 2).max() <= 1
    assert difference(folder / "colors.png", color.keep_colors(stylized, rgb)).max() <= 1
    assert difference(folder / "subject.png", color.blend(stylized, rgb, mask)).max() <= 1
    assert difference(folder / "background.png", color.blend(stylized, rgb, 255 - mask)).max() <= 1
    assert not difference(folder / "after_changes.png", read(folder / "expected.png").rgb).any()
    assert np.abs(other - stylized).max() > 9


@pytest.mark.heavy
def test_page_of_a_style_with_a_stroke_resolution_matches_python(written: Written, tmp_path: Path) -> None:
    model = written("mobile", "uint8_rgba")
    style = replace(STYLE, stroke_resolution=64)
    bundle = write_bundle(tmp_path / "bundle", {"android/model.onnx": model.read_bytes()}, style)
    rgb = resize(noise(33, 55), (396, 660))
    photo = save(tmp_path / "photo.png", rgb)
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    with serving(bundle, tool("onnxruntime-web").parents[1]) as port:
        url = f"http://{preview.HOST}:{port}/"
        command = [programs[0], Path(__file__).with_name("drive_strokes.mjs"), *programs[1:], url, photo]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "(64 px), full\n" in done.stdout
    for name, value, limit in ("default.png", "64", 4), ("native.png", "native", 1):
        run_stylize(model, photo, tmp_path / "expected" / name, f"stroke_resolution={value}")
        expected = read(tmp_path / "expected" / name).rgb
        assert difference(tmp_path / name, expected).max() <= limit
        assert difference(tmp_path / name, expected).mean() < 0.2
    default, native = (read(tmp_path / name).rgb.astype(float) for name in ("default.png", "native.png"))
    assert np.abs(default - native).mean() > 5


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width", "resolution"), [(150, 250, 48), (501, 410, 130), (90, 61, 60)])
def test_strokes_of_the_page_match_python(height: int, width: int, resolution: int, tmp_path: Path) -> None:
    photo = resize(noise(height // 8, width // 8), (height, width))
    small = resize(photo, resolution)
    stylized = resize(noise(9, 7), small.shape[:2])
    for name, pixels in ("photo", photo), ("stylized", stylized):
        (tmp_path / name).write_bytes(np.dstack([pixels, np.full(pixels.shape[:2], 99, np.uint8)]).tobytes())
    script = """
        import { readFileSync, writeFileSync } from 'node:fs'
        const [module, folder, width, height, resolution] = process.argv.slice(1)
        const { enlarge, reduce, smallSize } = await import(module)
        const [photo, stylized] = ['photo', 'stylized'].map(name => new Uint8Array(readFileSync(`${folder}/${name}`)))
        const small = smallSize(+width, +height, +resolution)
        const copy = reduce(photo, +width, +height, small)
        writeFileSync(`${folder}/copy`, copy)
        writeFileSync(`${folder}/result`, enlarge(stylized, copy, small, photo, +width, +height))
    """
    module = ort_web.PAGE[4].as_uri()
    values = [module, tmp_path, width, height, resolution]
    command = [tool("node"), "--input-type=module", "--eval", script, *values]
    subprocess.run([*map(str, command)], check=True, timeout=60)
    copy = np.frombuffer((tmp_path / "copy").read_bytes(), np.uint8).reshape(*small.shape[:2], 4)
    result = np.frombuffer((tmp_path / "result").read_bytes(), np.uint8).reshape(height, width, 4)
    assert np.abs(copy[..., :3].astype(int) - small).max() <= 1
    expected = detail_transfer.enlarge(stylized, small, photo)
    assert np.abs(result[..., :3].astype(int) - expected).max() <= 2
    assert np.abs(result[..., :3].astype(int) - expected).mean() < 0.1
    assert (copy[..., 3] == 255).all() and (result[..., 3] == 99).all()


@pytest.mark.heavy
def test_page_opened_as_a_file_names_the_command() -> None:
    flags = "--no-sandbox", "--disable-gpu", "--dump-dom"
    command = [str(tool("chromium-headless-shell")), *flags, ort_web.PAGE[0].as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r'id="error"[^>]*>A page opened as a file .* use impasto-preview bundle=DIR\.<', done.stdout)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def difference(path: Path, expected: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.abs(read(path).rgb.astype(float) - expected.astype(float))
