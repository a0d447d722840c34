"""impasto-preview: serve the page of a bundle to a browser on this computer."""

import shutil
import tempfile
import webbrowser
from collections.abc import Collection, Iterator, Mapping
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
from impasto.configs.terminal import show
from impasto.export.bundle.manifest import MANIFEST, Manifest
from impasto.export.runtime import tools_folder
from impasto.export.validation import ort_web
from impasto.models import zoo
from impasto.models.card import UNKNOWN

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
    # The page's own policy, and what only a header can say: no other page may embed it.
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; "
        "worker-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # These two allow the page to share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_NO_PAGE = "bundle={} is a store of styles, which has no page; export a style of it with style=NAME"


def main() -> None:
    """The command."""
    run("preview", task)


def task(config: PreviewConfig) -> None:
    """Serve the bundle until Ctrl-C, which is the regular end."""
    tools = tools_folder(config.tools_dir)
    with _bundle(config.bundle) as (bundle, listed), server(bundle, tools, config.port, listed) as serving:
        url = f"http://{HOST}:{serving.server_port}/{ort_web.FOLDER}/"
        try:
            show(f"{config.bundle} is at {url}; press Ctrl-C to stop")
            if config.open:
                webbrowser.open(url)
            serving.serve_forever()
        except KeyboardInterrupt:
            return


@contextmanager
def _bundle(reference: str) -> Iterator[tuple[Path, Collection[str] | None]]:
    """The bundle of that name; for an exported file, a temporary folder with what the page reads, and its files."""
    model = zoo.resolve(reference, ".onnx")
    if not model.is_file():
        yield model, None
        return
    from impasto.models import onnx_model  # loads Pillow, which a bundle's page does without

    session = onnx_model.load(model, threads=1)
    if onnx_model.styles(session):
        raise UsageError(_NO_PAGE.format(reference))
    properties = session.get_modelmeta().custom_metadata_map
    style, artist, license = (properties.get(key, UNKNOWN) for key in ("style", "artist", "style_license"))
    values: dict[str, Any] = {
        "style": {"name": style, "stroke_resolution": onnx_model.stroke_resolution(session)},
        "licenses": [{"part": "painting", "author": artist, "license": license}],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied = folder / onnx_model.IN_BUNDLE
        copied.parent.mkdir()
        shutil.copyfile(model, copied)
        files = {onnx_model.IN_BUNDLE.as_posix(): {"bytes": copied.stat().st_size}}
        write_json(folder / MANIFEST, values | {"files": files})
        yield folder, {MANIFEST, *files}


def server(
    bundle: Path, tools: Path | None, port: int = 0, listed: Collection[str] | None = None
) -> ThreadingHTTPServer:
    """Create a server of a bundle's files on the loopback address. The caller runs and closes it.

    The page is the one of this version of impasto, since a bundle's own could be anyone's.

    Args:
        bundle: The bundle.
        tools: The folder that `make tools` fills, for ONNX Runtime Web; None takes that of the bundle.
        port: The port; 0 selects a free one.
        listed: The files to serve; None takes those of the manifest, after a check of the bundle.

    Raises:
        UsageError: The folder is not a bundle, ONNX Runtime Web is missing, or the port is in use.
        CheckFailed: A file of the bundle is missing, changed or not listed in its manifest.
    """
    if listed is None:
        manifest = Manifest.load(bundle)
        if manifest.store is not None:
            raise UsageError(_NO_PAGE.format(bundle))
        manifest.check_files(bundle)
        listed = {MANIFEST, *manifest.files}
    runtime = ort_web.runtime_files(tools)
    in_bundle = {f"{ort_web.FOLDER}/{name}" for name in ort_web.RUNTIME} <= {*listed}
    if not runtime and not in_bundle:
        raise UsageError(
            f"ONNX Runtime Web is neither in the bundle nor in tools_dir={tools or 'null'}; run "
            "`npm install --prefix DIR onnxruntime-web` and name that folder with tools_dir=DIR"
        )
    own = {f"{ort_web.FOLDER}/{path.name}": path for path in (*ort_web.PAGE, *runtime)}
    try:
        return ThreadingHTTPServer((HOST, port), _handler(bundle.resolve(), listed, own))
    except OSError as error:
        raise UsageError(
            f"port={port} cannot be used: {error.strerror or error}; name another, or 0 for any free one"
        ) from error


def _handler(bundle: Path, listed: Collection[str], own: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version, server_version, sys_version = "HTTP/1.1", "impasto", ""
        timeout = 60  # seconds, after which a silent connection is closed

        def do_GET(self) -> None:
            self._respond(with_body=True)

        def do_HEAD(self) -> None:
            self._respond(with_body=False)

        def log_message(self, *_: object) -> None:
            """Log nothing: the terminal shows only the address."""

        def end_headers(self) -> None:
            """Send the headers of every response, errors included."""
            for header, value in _HEADERS.items():
                self.send_header(header, value)
            super().end_headers()

        def _respond(self, with_body: bool) -> None:
            # A foreign name that resolves to this address (DNS rebinding) would make its page the same origin.
            assert isinstance(self.server, ThreadingHTTPServer)
            port = self.server.server_port
            if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
                return
            try:
                name = unquote(urlsplit(self.path).path).removeprefix("/")
            except ValueError:  # such as http://[/
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            if name in ("", ort_web.FOLDER):
                self._start(HTTPStatus.FOUND, {"Location": f"/{ort_web.FOLDER}/", "Content-Length": "0"})
                return
            if name.endswith("/"):
                name += ort_web.PAGE[0].name
            path = own.get(name) or (_inside(bundle, name) if name in listed else None)
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
            for header, value in headers.items():
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
