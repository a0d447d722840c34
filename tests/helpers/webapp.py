"""A bundle of placeholders, runtimes of placeholders, the server of a page, and the page in a real browser."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from impasto.export.bundle.licenses import License
from impasto.export.bundle.manifest import (
    CHECKSUMS,
    MANIFEST,
    CheckpointEntry,
    FileEntry,
    GraphReport,
    Manifest,
    Style,
    file_names,
)
from impasto.export.commands import app_styles
from impasto.export.webapp import runtime, server, site
from impasto.export.webapp.runtime import Source
from impasto.models.card import Card, ModelCard
from impasto.models.provenance import sha256
from tests.helpers.heavy import tool

STYLE = Style("Swirls & waves")
PAINTING = License("painting", "The Swirls", "Ünal", "unknown", "CC0-1.0")


def write_bundle(folder: Path, models: dict[str, bytes], style: Style = STYLE) -> Path:
    """Write a bundle without a page."""
    (folder / "android").mkdir(parents=True)
    for name, data in models.items():
        (folder / name).write_bytes(data)
    return seal(folder, style)


def seal(folder: Path, style: Style = STYLE) -> Path:
    """Write the manifest of what the folder contains."""
    names = {*file_names(folder)} - {MANIFEST, CHECKSUMS}
    files = {name: FileEntry((folder / name).stat().st_size, sha256(folder / name)) for name in sorted(names)}
    checkpoint = CheckpointEntry("0" * 64, Card(ModelCard("mobile", 1.0, 5)))
    graph = GraphReport({}, {}, [])
    Manifest("impasto-bundle-4", style, [PAINTING], [], graph, [], {}, files, checkpoint, {}).save(folder)
    return folder


def write_tools(folder: Path) -> Path:
    """Write a folder of tools with placeholders for the files of the page's runtimes."""
    for package in runtime.packages().values():
        replaced = "".join(old for texts in package.replace.values() for old, _ in texts)
        for name in (*package.files.values(), *([package.license_file] if package.license_file else [])):
            path = folder / "node_modules" / package.package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"runtime{replaced}")
    return folder


@contextmanager
def serving(files: Mapping[str, Source]) -> Iterator[int]:
    """The port of a server of these files."""
    with server.server(files) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield serving.server_port
        finally:
            serving.shutdown()
            thread.join()


def request(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(server.HOST, port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def drive(script: str, url: str, folder: Path, *arguments: object) -> dict[str, Any]:
    """Run a script of tests/export/web that operates a page in a browser, and return its report."""
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    path = Path(__file__).parents[1] / "export" / "web" / script
    command = [programs[0], path, *programs[1:], url, folder, *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert report["console"] == [] and report["external"] == []
    return report


@contextmanager
def page(*models: str) -> Iterator[str]:
    """The address of the page of impasto-app with these models, and the runtimes that `make tools` installed."""
    tools = tool("onnxruntime-web").parents[1]
    files = site.contents(app_styles.find(models), runtime.runtime_files(tools))
    with serving(files) as port:
        yield f"http://{server.HOST}:{port}/"
