"""Keyword arguments of the public API as the settings of a command."""

import numbers
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from impasto.configs.errors import UsageError

if TYPE_CHECKING:
    from impasto.configs.cli import runs

PathLike = str | os.PathLike[str]
Overrides = Mapping[str, object]

_composing = threading.Lock()  # Hydra composes one configuration at a time


def compose(command: str, keywords: Overrides, overrides: Overrides | None) -> tuple[Any, "runs.Run"]:
    """Return the validated settings of a command, and the run that they describe.

    Args:
        command: A key of COMMANDS.
        keywords: Values by key; None stands for the command's default.
        overrides: Values of further keys.

    Raises:
        UsageError: A key is unknown, or a value is missing or invalid.
    """
    from impasto.configs.cli import app  # Hydra takes half a second to load

    if overrides and not (isinstance(overrides, Mapping) and all(isinstance(key, str) for key in overrides)):
        raise UsageError("overrides is not a dict of keys; give one, as in overrides={'seed': 1}")
    named = {key: value for key, value in keywords.items() if value is not None}
    for key in overrides or {}:
        if key in named:
            raise UsageError(f"{key} is set twice, by a keyword argument and in overrides; remove one of them")
        if key.startswith("hydra"):
            raise UsageError(f"{key} is a key of the command line; remove it from overrides")
    lines = [f"{key}={_text(key, value)}" for key, value in {**named, **(overrides or {})}.items()]
    with _composing, _own_hydra():
        return app.compose_run(command, lines)


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Put aside the Hydra of a caller that is a Hydra application itself."""
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


def _text(key: str, value: object, quoted: bool = False) -> str:
    """A value as a user would write it; a text is as the user wrote it."""
    if isinstance(value, str | os.PathLike):
        from impasto.configs.cli.overrides import quote

        return quote(os.fspath(value)) if quoted else os.fspath(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_text(key, item, quoted=True) for item in value)}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    kinds = "a text, a path, a number, True, False, None or a list of them"
    raise UsageError(f"{key} is of type {type(value).__name__}; give {kinds}")
