"""A bundle of placeholders, and impasto-preview's server of it."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

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
from impasto.export.commands import preview
from impasto.models.card import Card, ModelCard
from impasto.models.provenance import sha256

STYLE = Style("Swirls & waves", "Ünal", "CC0-1.0")


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
    Manifest("impasto-bundle-3", style, [], graph, [], {}, files, checkpoint, {}).save(folder)
    return folder


@contextmanager
def serving(bundle: Path, tools: Path | None, listed: Collection[str] | None = None) -> Iterator[int]:
    with preview.server(bundle, tools, 0, listed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def request(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(preview.HOST, port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response, response.read()
