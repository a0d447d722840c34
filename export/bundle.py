"""A bundle: the folder that an app developer gets, written whole or not at all."""

import hashlib
import importlib.metadata
import json
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impasto.configs.errors import RequestError
from impasto.configs.shipping import ExportConfig
from impasto.export import coreml_file, guide, onnx_file, parity
from impasto.export.label import Label, coreml_contract, onnx_contract
from impasto.models import checkpoint
from impasto.models.exported import IN_BUNDLE

FORMAT = "impasto-bundle-1"
MANIFEST = "manifest.json"
README = "README.md"
ONNX = IN_BUNDLE.as_posix()
COREML = "ios/Model.mlpackage"
_LIBRARIES = ("impasto", "torch", "onnx", "onnxruntime", "coremltools")
_DROPPINGS = {".DS_Store", "Thumbs.db"}  # what file managers leave in any folder

Manifest = dict[str, Any]
"""What manifest.json holds. Keys: format, style, android, ios, files, checkpoint, versions."""


def write(config: ExportConfig, say: Callable[[str], None]) -> Manifest:
    """Export a checkpoint into the folder `config.output`, which appears complete or stays as it is.

    Tells `say` what it is doing. Raises RequestError for a checkpoint or folder that cannot be used, and CheckError
    where a written file does not do what the network does.
    """
    source, output = Path(config.checkpoint).expanduser(), Path(config.output).expanduser().resolve()
    check_target(output)
    network, card = checkpoint.load(source)
    label = Label.of(card)
    made = [folder for folder in output.parents if not folder.exists()]
    aside = output.parent / f".impasto-{uuid.uuid4().hex}.part"
    try:
        for name in (ONNX, COREML):
            (aside / name).parent.mkdir(parents=True)
        say("writing the ONNX file")
        onnx_file.write(network, aside / ONNX, config.onnx.io, label)
        say("comparing it with PyTorch")
        rows = parity.check(aside / ONNX, network, config.onnx)
        say("writing the Core ML package")
        coreml_file.write(network, aside / COREML, config.coreml.height, config.coreml.width, label)
        contracts = onnx_contract(config.onnx.io), coreml_contract(config.coreml.height, config.coreml.width)
        text = guide.readme(label, *contracts, len(rows), max(row.largest for row in rows))
        (aside / README).write_text(text, encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "style": {"name": label.style, "artist": label.artist, "licence": label.licence},
            "android": {
                "file": ONNX,
                "contract": contracts[0],
                "parity": {"tolerance": config.onnx.tolerance, "rows": [asdict(row) for row in rows]},
            },
            "ios": {"file": COREML, "contract": contracts[1]},
            "files": {name: _facts(aside / name) for name in _names(aside)},
            "checkpoint": {"sha256": _sha256(source), "card": card},
            "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        }
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _swap(aside, output)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise RequestError(f"output={output} cannot be written: {error.strerror or error}") from error
        raise
    return manifest


def check_target(output: Path) -> None:
    """Raise RequestError unless `output` is free, an empty folder, or an earlier bundle that nothing was added to."""
    if not output.exists():
        return
    if not output.is_dir():
        raise RequestError(f"output={output} is a file; name a folder")
    if not any(output.iterdir()):
        return
    try:
        manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
        listed = set(manifest["files"]) if str(manifest["format"]).startswith("impasto-bundle-") else None
    except (OSError, ValueError, KeyError, TypeError):
        listed = None
    if listed is None:
        raise RequestError(f"output={output} holds other things, and is no earlier bundle; name another folder")
    added = [name for name in _names(output) if name not in {MANIFEST, *listed} and Path(name).name not in _DROPPINGS]
    if added:
        raise RequestError(f"output={output} holds {added[0]}, which is no part of the bundle there; move it away")


def _swap(aside: Path, output: Path) -> None:
    """Put a folder in the place of another, which comes back if that fails."""
    old = output.parent / f".impasto-{uuid.uuid4().hex}.old"
    try:
        if output.exists():
            output.rename(old)
        aside.rename(output)
    except BaseException:
        if old.exists() and not output.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
