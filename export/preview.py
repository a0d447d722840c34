"""impasto-preview: a bundle's page in the browser, served to this computer alone."""

import shutil
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.shipping import PreviewConfig
from impasto.export import web
from impasto.export.manifest import MANIFEST

HOST = "127.0.0.1"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    # With these two a page may share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def main() -> None:
    """The command."""
    run("preview", task)


def task(config: PreviewConfig) -> None:
    """Serve the bundle until Ctrl-C, which is the way to end it and no failure."""
    bundle = Path(config.bundle).expanduser()
    with server(bundle, Path(config.tools).expanduser(), config.port) as serving:
        url = f"http://{HOST}:{serving.server_port}/{web.FOLDER}/"
        try:
            print(f"{bundle} is at {url}; Ctrl-C ends it", flush=True)
            if config.open:
                webbrowser.open(url)
            serving.serve_forever()
        except KeyboardInterrupt:
            return


def server(bundle: Path, tools: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of a bundle's files on the loopback address; port 0 takes a free one. The caller runs and closes it.

    What the bundle's page needs and the bundle lacks comes from impasto and from the folder `tools`. Raises
    RequestError.
    """
    if not (bundle / MANIFEST).is_file():
        raise RequestError(f"bundle={bundle} holds no {MANIFEST}; name a folder that impasto-export wrote")
    found = [bundle / web.FOLDER / name for name in web.RUNTIME]
    if not all(path.is_file() for path in found):
        found = web.runtime_files(tools)
    if not found:
        raise RequestError(
            f"neither {bundle / web.FOLDER} nor tools={tools} holds ONNX Runtime Web; "
            "run `make tools` in impasto's folder and name its build/tools with tools=DIR"
        )
    extra = {f"{web.FOLDER}/{path.name}": path for path in (*web.PAGE, *found)}
    try:
        return ThreadingHTTPServer((HOST, port), _handler(bundle.resolve(), extra))
    except OSError as error:
        raise RequestError(
            f"port={port} cannot be used: {error.strerror or error}; give another, or 0 for any"
        ) from error


def _handler(bundle: Path, extra: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: object) -> None:
            """Nothing: the terminal shows the address alone."""

        def _answer(self, with_body: bool) -> None:
            name = unquote(urlsplit(self.path).path).removeprefix("/")
            if name in ("", web.FOLDER):
                self._start(HTTPStatus.FOUND, {"Location": f"/{web.FOLDER}/", "Content-Length": "0"})
                return
            if name.endswith("/"):
                name += web.PAGE[0].name
            path = _inside(bundle, name) or extra.get(name)
            if path is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            with path.open("rb") as file:
                self._start(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(path.stat().st_size)})
                if with_body:
                    with suppress(ConnectionError):  # the browser went away
                        shutil.copyfileobj(file, self.wfile)

        def _start(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for header, value in {**headers, **_HEADERS}.items():
                self.send_header(header, value)
            self.end_headers()

    return Handler


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name in a resolved folder, unless the name or a link leads out of it."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # a name too long, or with a NUL
        return None
