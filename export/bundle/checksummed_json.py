"""JSON files that reveal changes: their last key is the SHA-256 of everything before it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckFailed

HASH_KEY = "sha256"


def write(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON with its hash; the same content gives the same bytes."""
    path.write_text(_text(content | {HASH_KEY: _hash(content)}), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file that `write` wrote, without its hash.

    Raises:
        CheckFailed: A byte was changed.
        OSError: The file does not exist.
    """
    data = path.read_bytes()
    try:
        content = json.loads(data)
        digest = content.pop(HASH_KEY)
        intact = digest == _hash(content) and data == _text(content | {HASH_KEY: digest}).encode()
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise CheckFailed(f"{path.name} was changed after it was written; get the bundle again from its source")
    return content


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
