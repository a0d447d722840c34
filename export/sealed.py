"""JSON files that show when they were changed: the last key is the hash of all that stands before it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckError

SEAL = "sha256"


def write(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON, sealed; the same content gives the same bytes."""
    path.write_text(_text(content | {SEAL: _seal(content)}), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, without its seal. Raises CheckError where any byte is another, OSError without a file."""
    data = path.read_bytes()
    try:
        content = json.loads(data)
        seal = content.pop(SEAL)
        whole = seal == _seal(content) and data == _text(content | {SEAL: seal}).encode()
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise CheckError(f"{path.name} was changed after it was written; take the bundle again from where it was made")
    return content


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
