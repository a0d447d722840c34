"""What identifies where a file came from: the hash of its source, and the versions of the libraries that wrote it."""

import hashlib
import importlib.metadata
import platform
from pathlib import Path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(*libraries: str) -> dict[str, str]:
    """Return the versions of impasto, torch and further libraries by their names."""
    return {name: importlib.metadata.version(name) for name in ("impasto", "torch", *libraries)}


def run_versions() -> dict[str, str]:
    """Return the versions that a run records: those of impasto, torch and Python."""
    return versions() | {"python": platform.python_version()}
