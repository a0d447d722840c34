"""Serve a page to a browser on this computer."""

import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from impasto.configs.errors import UsageError
from impasto.configs.terminal import show
from impasto.export.webapp import site
from impasto.export.webapp.runtime import Source

HOST = "127.0.0.1"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
POLICY = (  # the page's own, and what only a header can say: no other page may embed it
    "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; media-src blob:; "
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    # These two allow the page to share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def serve(files: Mapping[str, Source], name: str, port: int, in_browser: bool) -> None:
    """Serve a page until Ctrl-C, which is the regular end.

    Args:
        files: The files by their relative paths.
        name: What is served, for the line that names the address.
        port: The port; 0 selects a free one.
        in_browser: Whether to open the page in the browser.
    """
    with server(files, port) as serving:
        url = f"http://{HOST}:{serving.server_port}/"
        try:
            show(f"{name} is at {url}; press Ctrl-C to stop")
            if in_browser:
                webbrowser.open(url)
            serving.serve_forever()
        except KeyboardInterrupt:
            return


def server(files: Mapping[str, Source], port: int = 0) -> ThreadingHTTPServer:
    """Create a server of these files, and of nothing else, on the loopback address. The caller runs and closes it.

    Raises:
        UsageError: The port is in use.
    """
    try:
        return ThreadingHTTPServer((HOST, port), _handler(files))
    except OSError as error:
        raise UsageError(
            f"port={port} cannot be used: {error.strerror or error}; name another, or 0 for any free one"
        ) from error


def _handler(files: Mapping[str, Source]) -> type[BaseHTTPRequestHandler]:
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
            for header, value in HEADERS.items():
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
            name = name or site.INDEX
            source = files.get(name)
            try:
                body = None if source is None else site.read(source)
            except OSError:  # deleted while the server runs
                body = None
            if body is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                with suppress(ConnectionError):  # the browser closed the connection
                    self.wfile.write(body)

    return Handler
