"""The manifest of a bundle: its name, what is in the folder beside it, and what of that is not as it says."""

import hashlib
from pathlib import Path
from typing import Any

from impasto.configs.errors import RequestError
from impasto.export import sealed

FORMAT = "impasto-bundle-2"
MANIFEST = "manifest.json"
MEASURED = "measured.json"  # beside the manifest, since it is another on every machine
README = "README.md"
_DROPPINGS = {".DS_Store", "Thumbs.db"}  # what file managers leave in any folder

Manifest = dict[str, Any]
"""Keys: format, style, android, ios, parity, not_run, files, checkpoint, versions."""


def read(folder: Path) -> Manifest:
    """The manifest of a bundle. Raises RequestError for a folder that is none, CheckError for one that was changed."""
    path = folder / MANIFEST
    if not path.is_file():
        raise RequestError(
            f"bundle={folder} is no bundle: it holds no {MANIFEST}; name a folder that impasto-export wrote"
        )
    manifest = sealed.read(path)
    if manifest.get("format") != FORMAT:
        raise RequestError(
            f"bundle={folder} has the format {manifest.get('format')}, not {FORMAT}; export it again with this impasto"
        )
    return manifest


def damage(folder: Path, manifest: Manifest) -> list[str]:
    """What is not as the manifest says: files that are missing, changed or not listed, one sentence each."""
    found, wrong = set(names(folder)) - {MANIFEST, MEASURED}, []
    for name, facts in manifest["files"].items():
        if name not in found:
            wrong.append(f"{name} is missing")
        elif (folder / name).stat().st_size != facts["bytes"]:
            wrong.append(f"{name} was changed: it has {(folder / name).stat().st_size:,} bytes, not {facts['bytes']:,}")
        elif sha256(folder / name) != facts["sha256"]:
            wrong.append(f"{name} was changed: its SHA-256 is not that of the manifest")
    return wrong + [f"{name} is no part of the bundle" for name in sorted(found - {*manifest["files"]})]


def names(folder: Path) -> list[str]:
    """The files below a folder, by their paths in it; a link is one, what a file manager left there is none."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    files = (path for path in files if path.name not in _DROPPINGS)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
