"""The engine of the page in a real browser: a folder with its files, a server, and scenarios that run in the page."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import onnx
from numpy.typing import NDArray

from impasto.export import contract
from impasto.export.test_images import picture
from tests.helpers.heavy import tool

ENGINE = Path(contract.__file__).parent / "web" / "engine"
TESTS = Path(__file__).parents[1] / "export" / "web" / "engine"
HEIGHT, WIDTH, RESOLUTION = 131, 90, 72  # of the picture of a site, and the stroke resolution of its styles
SOFTWARE_GPU = "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"
NO_GPU = ("--disable-gpu",)
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; media-src blob:; "
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'",
}


@dataclass
class Site:
    """What a served folder was asked for, and what scenarios saved."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)

    def run(self, scenario: str, *flags: str, timeout: int = 300) -> dict[str, Any]:
        """Run a function of scenarios.mjs in a new browser and return its result. Nothing may be logged."""
        programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
        command = [programs[0], TESTS / "drive_engine.mjs", *programs[1:], self.url, scenario, *flags]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def pixels(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the RGB [H, W, 3] of a picture that a scenario saved."""
        return np.frombuffer((self.folder / "saved" / name).read_bytes(), np.uint8).reshape(*shape, 4)[..., :3]

    def fetched(self, part: str) -> list[str]:
        """Return the paths that were asked for and contain `part`."""
        return [path for path in self.requests if part in path]


def write_site(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a folder with the engine, the runtimes, the scenarios and other files."""
    shutil.copytree(ENGINE, folder / "engine")
    (folder / "runtime").mkdir()
    (folder / "saved").mkdir()
    declared = json.loads((ENGINE / "runtime.json").read_text())
    for entry in declared.values():
        package = tool(entry["package"])
        for name, source in entry["files"].items():
            content = (package / source).read_bytes()
            for before, after in entry.get("replace", {}).get(name, []):
                assert before.encode() in content
                content = content.replace(before.encode(), after.encode())
            (folder / "runtime" / name).write_bytes(content)
    shutil.copy(TESTS / "scenarios.mjs", folder)
    for name, content in {"index.html": b'<!doctype html><link rel="icon" href="data:,">', **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """Serve a folder; what is put under saved/ is written there."""
    site = Site(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
            site.requests.append(path)
            file = folder / path
            body = file.read_bytes() if file.is_file() else b""
            self.send_response(200 if file.is_file() else 404)
            kind = _TYPES.get(file.suffix, "application/octet-stream")
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_HEADERS}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / "saved" / Path(unquote(self.path)).name).write_bytes(data)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def image(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture RGB [H, W, 3]."""
    return np.ascontiguousarray(picture(256, 256)[:height, :width])


def rgba(rgb: NDArray[np.uint8]) -> bytes:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]).tobytes()


def entry(folder: Path, url: str) -> dict[str, Any]:
    return {"url": url, "bytes": (folder / url).stat().st_size}


def described(name: str, folder: Path, **files: str) -> dict[str, Any]:
    """An entry of app.json for files in the folder."""
    return {
        "name": name,
        "stroke_resolution": RESOLUTION,
        "files": {key: entry(folder, url) for key, url in files.items()},
    }


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


def with_tiles(folder: Path) -> None:
    """Add what the manifest says of tile.onnx to the styles of cases.json."""
    properties = {
        item.key: int(item.value)
        for item in onnx.load(folder / "tile.onnx").metadata_props
        if item.key in ("margin", "multiple")
    }
    cases = json.loads((folder / "cases.json").read_text())
    for style in [cases["style"]] if "style" in cases else cases["styles"]:
        if "tile" in style["files"]:
            style["files"]["tile"] |= {"side": 256, **properties}
    (folder / "cases.json").write_text(json.dumps(cases))


def store_model() -> bytes:
    """A network of two styles with the inputs of a store: the first inverts colors, the second keeps them."""
    table = np.array([[-1, -1, -1, 1, 255, 255, 255, 0], [1, 1, 1, 1, 0, 0, 0, 0]], np.float32)
    make, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    nodes = [
        make("MatMul", ["styles", "table"], ["both"]),
        make("Split", ["both"], ["gain", "offset"], axis=0, num_outputs=2),
        make("Cast", ["image"], ["float"], to=onnx.TensorProto.FLOAT),
        make("Mul", ["float", "gain"], ["scaled"]),
        make("Add", ["scaled", "offset"], ["sum"]),
        make("Round", ["sum"], ["rounded"]),
        make("Cast", ["rounded"], ["stylized"], to=onnx.TensorProto.UINT8),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [1, "H", "W", 4])
        for name in ("image", "stylized")
    ]
    styles = onnx.helper.make_tensor_value_info("styles", onnx.TensorProto.FLOAT, [2])
    graph = onnx.helper.make_graph(nodes, "store", [ends[0], styles], [ends[1]], [constant(table, "table")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())
