"""The list of photos that training leaves out: a text file that impasto-check writes and anyone can edit.

A line holds a photo's name below data.root, a tab and a reason. Only the name counts. A name that contains a tab or a
line break, or starts with a quotation mark, is written as a JSON string. Lines that start with # are comments.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from impasto.configs import atomic_file
from impasto.configs.errors import UsageError


def write(path: Path, reasons: Mapping[str, str]) -> None:
    """Write a list atomically.

    Args:
        path: The file to write.
        reasons: The reason for each photo's name.
    """
    lines = ["# photos that impasto-train data.exclude= leaves out: a name, then optionally a tab and a reason"]
    lines += [f"{_quoted(name)}\t{' '.join(reason.split())}" for name, reason in sorted(reasons.items())]
    with atomic_file.atomic_write(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")


def read(path: Path) -> set[str]:
    """Return the names on a list.

    Raises:
        UsageError: The file cannot be read or parsed.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        names = [line.partition("\t")[0].rstrip("\r") for line in lines if line.strip() and not line.startswith("#")]
        return {str(json.loads(name)) if name.startswith('"') else name for name in names}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"data.exclude={path} is not a readable list of photos ({error}); name a file with one photo per line"
        ) from error


def _quoted(name: str) -> str:
    plain = name.isprintable() and not name.startswith(('"', "#"))
    return name if plain else json.dumps(name)
