"""impasto-preview: serve the page of a bundle to a browser on this computer."""

import shutil
import tempfile
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from impasto.configs.atomic_file import write_json
from impasto.configs.cli.app import run
from impasto.configs.errors import UsageError
from impasto.configs.schema.preview import PreviewConfig
from impasto.export.bundle.manifest import MANIFEST
from impasto.export.validation import ort_web
from impasto.models import zoo

HOST = "127.0.0.1"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    # These two allow the page to share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def main() -> None:
    """The command."""
    run("preview", task)


def task(config: PreviewConfig) -> None:
    """Serve the bundle until Ctrl-C, which is the regular end."""
    tools = Path(config.tools_dir).expanduser()
    with _bundle(config.bundle) as bundle, server(bundle, tools, config.port) as serving:
        url = f"http://{HOST}:{serving.server_port}/{ort_web.FOLDER}/"
        try:
            print(f"{config.bundle} is at {url}; press Ctrl-C to stop", flush=True)
            if config.open:
                webbrowser.open(url)
            serving.serve_forever()
        except KeyboardInterrupt:
            return


@contextmanager
def _bundle(reference: str) -> Iterator[Path]:
    """The bundle of that name; for an exported file, a temporary folder with what the page reads of a bundle."""
    model = zoo.resolve(reference, ".onnx")
    if not model.is_file():
        yield model
        return
    from impasto.models import onnx_model  # loads Pillow, which a bundle's page does without

    session = onnx_model.load(model, threads=1)
    properties = session.get_modelmeta().custom_metadata_map
    keys = {"name": "style", "artist": "artist", "license": onnx_model.LICENSE}
    style: dict[str, Any] = {name: properties.get(key, "unknown") for name, key in keys.items()}
    style["stroke_resolution"] = onnx_model.stroke_resolution(session)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied = folder / onnx_model.IN_BUNDLE
        copied.parent.mkdir()
        shutil.copyfile(model, copied)
        files = {onnx_model.IN_BUNDLE.as_posix(): {"bytes": copied.stat().st_size}}
        write_json(folder / MANIFEST, {"style": style, "files": files})
        yield folder


def server(bundle: Path, tools: Path, port: int = 0) -> ThreadingHTTPServer:
    """Create a server of a bundle's files on the loopback address. The caller runs and closes it.

    Args:
        bundle: The bundle.
        tools: The folder that `make tools` fills, for files of ONNX Runtime Web that the bundle lacks.
        port: The port; 0 selects a free one.

    Raises:
        UsageError: The folder is not a bundle, ONNX Runtime Web is missing, or the port is in use.
    """
    if not (bundle / MANIFEST).is_file():
        raise UsageError(f"bundle={bundle} contains no {MANIFEST}; name a folder that impasto-export wrote")
    runtime = [bundle / ort_web.FOLDER / name for name in ort_web.RUNTIME]
    if not all(path.is_file() for path in runtime):
        runtime = ort_web.runtime_files(tools)
    if not runtime:
        raise UsageError(
            f"neither {bundle / ort_web.FOLDER} nor tools_dir={tools} contains ONNX Runtime Web; "
            "run `make tools` in impasto's folder and name its build/tools with tools_dir=DIR"
        )
    extra = {f"{ort_web.FOLDER}/{path.name}": path for path in (*ort_web.PAGE, *runtime)}
    try:
        return ThreadingHTTPServer((HOST, port), _handler(bundle.resolve(), extra))
    except OSError as error:
        raise UsageError(
            f"port={port} cannot be used: {error.strerror or error}; name another, or 0 for any free one"
        ) from error


def _handler(bundle: Path, extra: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond(with_body=True)

        def do_HEAD(self) -> None:
            self._respond(with_body=False)

        def log_message(self, *_: object) -> None:
            """Log nothing: the terminal shows only the address."""

        def _respond(self, with_body: bool) -> None:
            name = unquote(urlsplit(self.path).path).removeprefix("/")
            if name in ("", ort_web.FOLDER):
                self._start(HTTPStatus.FOUND, {"Location": f"/{ort_web.FOLDER}/", "Content-Length": "0"})
                return
            if name.endswith("/"):
                name += ort_web.PAGE[0].name
            path = _inside(bundle, name) or extra.get(name)
            if path is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            with path.open("rb") as file:
                self._start(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(path.stat().st_size)})
                if with_body:
                    with suppress(ConnectionError):  # the browser closed the connection
                        shutil.copyfileobj(file, self.wfile)

        def _start(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for header, value in {**headers, **_HEADERS}.items():
                self.send_header(header, value)
            self.end_headers()

    return Handler


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name in a resolved folder; None where the name or a link points outside."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # a name too long, or with a NUL
        return None
