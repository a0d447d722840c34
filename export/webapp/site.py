"""The files of a page: by their relative paths, to be written to a folder or served."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.configs.schema.style import slug
from impasto.export.webapp.runtime import FOLDER, WEB, Source, flat
from impasto.models.provenance import sha256

FORMAT = "impasto-app/1"
INDEX, STYLES, LIST = "index.html", "app.json", "files.js"
MODEL, TFLITE, STATS, TILE, PAINTING = "model.onnx", "model.tflite", "stats.onnx", "tile.onnx", "painting.jpg"
_UNPUBLISHED = ("run.mjs", "engine/runtime.json", f"{FOLDER}/")  # in export/web, and not part of the page


@dataclass(frozen=True)
class Tiles:
    """The two files that stylize a large photo in tiles: see onnx_graph/tiled_pair.py."""

    stats: Source
    tile: Source
    side: int
    margin: int
    multiple: int


@dataclass(frozen=True)
class StoreStyle:
    """A style of a store; `name` is that of the model."""

    name: str
    title: str
    artist: str
    license: str
    stroke_resolution: int | None
    painting: Path | None = None


@dataclass(frozen=True)
class Style:
    """A style of the page. `name` is a slug, which is unique in a page; the other texts are shown."""

    name: str
    title: str
    artist: str
    license: str
    stroke_resolution: int | None
    model: Path
    url: str | None = None
    """Where the page finds the model, for one that is not among the page's own files."""
    painting: Path | None = None
    tflite: Path | None = None
    """The file for the GPU, which the page rewrites for each photo."""
    tiles: Tiles | None = None
    store: tuple[StoreStyle, ...] = ()
    """The styles of a store, in the order of their weights."""
    grain: float = 0.0

    def files(self) -> dict[str, Source]:
        """Return its own files by their paths in the page."""
        folder = f"styles/{self.name}"
        named: dict[str, Source | None] = {
            f"{folder}/{MODEL}": self.model if self.url is None else None,
            f"{folder}/{TFLITE}": self.tflite,
            f"{folder}/{STATS}": self.tiles.stats if self.tiles else None,
            f"{folder}/{TILE}": self.tiles.tile if self.tiles else None,
            f"{folder}/{PAINTING}": self.painting,
        }
        named |= {self.thumbnail(one): one.painting for one in self.store}
        return {name: source for name, source in named.items() if source is not None}

    def thumbnail(self, one: StoreStyle) -> str:
        """Return where the page finds the painting of a style of the store."""
        return f"styles/{self.name}/{slug(one.name)}.jpg"


def contents(styles: Sequence[Style], runtimes: Mapping[str, Mapping[str, Source]]) -> dict[str, Source]:
    """Return each file of a page by its relative path.

    Args:
        styles: The styles in the order of the strip.
        runtimes: The files of each runtime, as `webapp.runtime.runtime_files` returns them.
    """
    files: dict[str, Source] = {**page_files(), **flat(runtimes)}
    shell = sorted(page_files())
    entries = []
    for style in styles:
        files |= style.files()
        entries.append(_entry(style))
    version = importlib.metadata.version("impasto")
    runs = {name: name in runtimes for name in ("onnxruntime", "litert")}
    app = {"format": FORMAT, "version": version, "styles": entries, "runtimes": runs}
    files[STYLES] = f"{json.dumps(app, indent=1, ensure_ascii=False)}\n".encode()
    listed = {"version": _digest(files), "files": ["./", *shell, STYLES]}
    files[LIST] = f"// Written by impasto: what sw.js caches.\nself.APP = {json.dumps(listed, indent=1)}\n".encode()
    return dict(sorted(files.items()))


def page_files() -> dict[str, Source]:
    """Return the files that every page has, without styles and runtimes, by their relative paths."""
    paths = {path.relative_to(WEB).as_posix(): path for path in sorted(WEB.rglob("*")) if path.is_file()}
    return {name: path for name, path in paths.items() if not name.startswith(_UNPUBLISHED)}


def write(folder: Path, files: Mapping[str, Source]) -> None:
    """Write the files of a page into a folder, which may exist."""
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(source))


def read(source: Source) -> bytes:
    """Return the content of a file of the page."""
    return source if isinstance(source, bytes) else source.read_bytes()


def digest(source: Source) -> str:
    """Return the SHA-256 of a file of the page."""
    return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else sha256(source)


def _entry(style: Style) -> dict[str, Any]:
    own, folder = style.files(), f"styles/{style.name}"

    def file(name: str) -> dict[str, Any] | None:
        source = own.get(f"{folder}/{name}")
        return None if source is None else _file(f"{folder}/{name}", source)

    files: dict[str, Any] = {"onnx": file(MODEL) or _file(str(style.url), style.model), "tflite": file(TFLITE)}
    if style.tiles is not None:
        tiling = {"side": style.tiles.side, "margin": style.tiles.margin, "multiple": style.tiles.multiple}
        files |= {"stats": file(STATS), "tile": {**(file(TILE) or {}), **tiling}}
    thumbnail = f"{folder}/{PAINTING}" if style.painting else None
    entry = {**_about(style), "grain": style.grain, "thumbnail": thumbnail, "files": files}
    if style.store:
        thumbnails = [style.thumbnail(one) if one.painting else None for one in style.store]
        entry["store"] = [
            {**_about(one), "thumbnail": thumbnail} for one, thumbnail in zip(style.store, thumbnails, strict=True)
        ]
    return entry


def _about(style: Style | StoreStyle) -> dict[str, Any]:
    names = ("name", "title", "artist", "license", "stroke_resolution")
    return {name: getattr(style, name) for name in names}


def _file(url: str, source: Source) -> dict[str, Any]:
    return {"url": url, "bytes": len(read(source)), "sha256": digest(source)}


def _digest(files: Mapping[str, Source]) -> str:
    """A version that differs where any file does."""
    lines = (f"{digest(source)}  {name}\n" for name, source in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
