"""Atomic file writes: a reader sees the old file or the new one, never a part of it."""

import json
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PART = ".part"  # suffix of a file while it is being written


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a hidden temporary path beside `path`; sync it and rename it to `path` on success, remove it on failure.

    The folder is synced after the rename where the system supports it, so a power cut leaves the old or the new file.
    The file has the permissions of any new file there, whatever a library gave it.
    """
    part = path.with_name(f".{uuid.uuid4().hex}{PART}")
    try:
        part.touch()
        mode = part.stat().st_mode
        yield part
        part.chmod(stat.S_IMODE(mode))  # safetensors lets no other user read its files
        with part.open("r+b") as file:  # Windows cannot sync what is open for reading
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows cannot open folders, and some network file systems cannot sync them
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically; raise ValueError for infinity or NaN, which JSON cannot hold."""
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
