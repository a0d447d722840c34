"""Find paths of this machine among the texts of a package, which must be the same wherever it is written."""

import json
import os
import re
import site
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def machine_path(texts: Iterable[str]) -> str | None:
    """Return the first folder of this machine that one of the texts names, or None.

    A folder counts where a path starts with it: `/w` is in `"/w/model.py"`, and neither in `@model_path/weights` nor in
    `/work`.
    """
    folders = {*_folders()}
    names = "|".join(re.escape(folder) for folder in sorted(folders, key=len, reverse=True) if len(folder) > 1)
    path = re.compile(rf"(?<![\w.@~-])(?<!http:/)(?<!https:/)(?:{names})(?![\w.-])|site-packages")
    return next((match[0] for text in texts if (match := path.search(text))), None)


def proto_texts(message: Any) -> Iterator[str]:
    """Yield the texts of a protobuf message and of those inside, without numbers and bytes, such as weights."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            yield from [value] if isinstance(value, str) else value
        elif field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            for key, item in value.items():
                yield from (text for text in (key, item) if isinstance(text, str))
                yield from proto_texts(item) if hasattr(item, "ListFields") else ()
        elif field.type == field.TYPE_MESSAGE:
            for item in [value] if hasattr(value, "ListFields") else value:
                yield from proto_texts(item)


def json_texts(path: Path) -> Iterator[str]:
    """Yield the keys and texts of a JSON file, as they are without escapes."""
    values = [json.loads(path.read_bytes())]
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value


def _folders() -> Iterator[str]:
    yield from map(str, (Path.home(), Path.cwd()))
    yield from (sys.prefix, sys.base_prefix, *site.getsitepackages(), tempfile.gettempdir())
    if "PWD" in os.environ:
        yield os.environ["PWD"]  # the current folder by the name of a link
