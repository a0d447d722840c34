"""JSON files that reveal changes: their last key is the SHA-256 of everything before it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckFailed, UsageError

HASH_KEY = "sha256"
_LARGEST = 64 * 2**20  # bytes; the files of a bundle take a few hundred thousand


def write(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON with its hash; the same content gives the same bytes."""
    path.write_text(_text(content | {HASH_KEY: _hash(content)}), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file that `write` wrote, without its hash.

    Raises:
        CheckFailed: A byte was changed.
        UsageError: The file cannot be read.
    """
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise CheckFailed(f"{path.name} has {size:,} bytes, too many for it; get the bundle again from its source")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    try:
        content = json.loads(data, parse_constant=_refuse)
        digest = content.pop(HASH_KEY)
        intact = digest == _hash(content) and data == _text(content | {HASH_KEY: digest}).encode()
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise CheckFailed(f"{path.name} was changed after it was written; get the bundle again from its source")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON, and every comparison with NaN is false")


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
