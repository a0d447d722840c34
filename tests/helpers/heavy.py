"""Tools of the tests marked heavy: a test without its tool is skipped, or fails if IMPASTO_HEAVY=required."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_TOOLS = Path(os.environ.get("IMPASTO_TOOLS", Path(__file__).parents[2] / "build" / "tools"))


def tool(name: str) -> Path:
    """Return the folder of a node package that `make tools` installs, or else the program of that name on PATH.

    IMPASTO_TOOLS names another folder of tools.
    """
    package = _TOOLS / "node_modules" / name
    if package.exists():
        return package
    program = shutil.which(name)
    if program is None:
        missing(f"{name} is not installed; run `make tools` for a node package, or install the program")
    return Path(program)


def missing(sentence: str) -> NoReturn:
    """Skip the test for this reason, or fail it if IMPASTO_HEAVY=required."""
    if os.environ.get("IMPASTO_HEAVY") == "required":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
