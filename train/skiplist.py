"""The photos that training leaves out: a text file that impasto-check writes and anybody can edit.

A line is a photo's name below data.root, a tab and why; only the name counts. A name that holds a tab, a line's end
or a quotation mark at its start is written as a JSON string. Lines that start with # are remarks.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from impasto.configs.errors import RequestError
from impasto.models import files


def write(path: Path, reasons: Mapping[str, str]) -> None:
    """Write the list, whole or not at all."""
    lines = ["# photos that impasto-train data.skip= leaves out; a tab and a reason may follow the name"]
    lines += [f"{_quoted(name)}\t{' '.join(reason.split())}" for name, reason in sorted(reasons.items())]
    with files.aside(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")


def read(path: Path) -> set[str]:
    """The names on a list; raises RequestError."""
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        names = [line.partition("\t")[0].rstrip("\r") for line in lines if line.strip() and not line.startswith("#")]
        return {str(json.loads(name)) if name.startswith('"') else name for name in names}
    except (OSError, ValueError) as error:
        raise RequestError(
            f"data.skip={path} is no list of photos that can be read ({error}); name one by line"
        ) from error


def _quoted(name: str) -> str:
    plain = name.isprintable() and not name.startswith(('"', "#"))
    return name if plain else json.dumps(name)
