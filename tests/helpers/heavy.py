"""Tools of the tests marked heavy: a test without its tool is skipped, or fails where all of them are said to be."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_TOOLS = Path(os.environ.get("IMPASTO_TOOLS", Path(__file__).parents[2] / "build" / "tools"))


def tool(name: str) -> Path:
    """The folder of a node package that `make tools` installs, or else the program of that name on PATH.

    Without it the test is skipped; with IMPASTO_HEAVY=required it fails. IMPASTO_TOOLS names another folder of tools.
    """
    package = _TOOLS / "node_modules" / name
    if package.exists():
        return package
    program = shutil.which(name)
    if program is None:
        missing(f"{name} is not here: run `make tools` for a node package, or install the program")
    return Path(program)


def missing(sentence: str) -> NoReturn:
    """Skip the test, saying what it lacks; with IMPASTO_HEAVY=required fail it."""
    if os.environ.get("IMPASTO_HEAVY") == "required":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
