"""A bundle: the folder that an app developer gets, written whole or not at all."""

import importlib.metadata
import json
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from impasto.configs.errors import RequestError
from impasto.configs.shipping import ExportConfig
from impasto.export import contents, guide, sealed
from impasto.export.label import Label, coreml_contract
from impasto.export.manifest import FORMAT, MANIFEST, MEASURED, README, Manifest, names, sha256
from impasto.models import checkpoint, zoo

_LIBRARIES = ("impasto", "torch", "onnx", "onnxruntime", "coremltools")


def write(config: ExportConfig, say: Callable[[str], None]) -> tuple[Manifest, contents.Contents]:
    """Export a checkpoint into the folder `config.output`, which appears complete or stays as it is.

    Tells `say` what it is doing. Returns the manifest, and what it was made from. Raises RequestError
    for a checkpoint or folder that cannot be used, and CheckError where a file does not do what the network does.
    """
    source = zoo.resolve(config.checkpoint, checkpoint.SUFFIX, config.model)
    output = Path(config.output).expanduser().resolve()
    check_target(output)
    network, card = checkpoint.load(source)
    label = Label.of(card)
    made = [folder for folder in output.parents if not folder.exists()]
    aside = output.parent / f".impasto-{uuid.uuid4().hex}.part"
    try:
        aside.mkdir(parents=True)
        found = contents.fill(network, aside, config, label, say)
        (aside / README).write_text(guide.readme(_told(label, found, aside)), encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "style": {"name": label.style, "artist": label.artist, "licence": label.licence},
            "android": {"models": [shipped.facts() for shipped in found.android]} | found.facts,
            "ios": {"models": [shipped.facts() for shipped in found.ios], "contract": coreml_contract()},
            "parity": [row.facts() for row in found.rows],
            "not_run": found.lacking,
            "files": {name: _facts(aside / name) for name in names(aside) if name != MEASURED},
            "checkpoint": {"sha256": sha256(source), "card": card},
            "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        }
        sealed.write(aside / MANIFEST, manifest)
        _swap(aside, output)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise RequestError(f"output={output} cannot be written: {_reason(error)}") from error
        raise
    return manifest, found


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
    added = [name for name in names(output) if name not in {MANIFEST, MEASURED, *listed}]
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


def _told(label: Label, found: contents.Contents, folder: Path) -> guide.Facts:
    sizes = dict.fromkeys((width, height) for shipped in found.ios for height, width in shipped.functions.values())
    return guide.Facts(
        label,
        onnx=found.facts["contract"],
        files={name: (folder / name).stat().st_size for name in names(folder)},
        parity=[row.facts() for row in found.rows],
        memory=[(row["width"], row["height"], row["bytes"] / 1e6) for row in found.facts["memory"]],
        sizes=[*sizes],
    )


def _reason(error: OSError) -> str:
    """Why, in a few words; an error in copying a folder is a list of (from, to, why)."""
    why = str(error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error)
    return why.split("] ")[-1].split(":")[0].strip("\"'] ")


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}
