"""Child processes that take no code from the current folder: neither modules of Python nor programs."""

import os
import shutil
import sys
from pathlib import Path

from impasto.models.ort_environment import environment_without_telemetry

_RUN_MODULE = (
    "import ast, runpy, sys; sys.path[:] = ast.literal_eval(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
_OF_NODE = ("NODE_OPTIONS", "NODE_PATH")  # each can name code for Node to load


def environment() -> dict[str, str]:
    """Return the environment of a child process: no telemetry, no program or module of the current folder."""
    inherited = {key: value for key, value in environment_without_telemetry().items() if key not in _OF_NODE}
    return inherited | {"PATH": _search_path(), "PYTHONSAFEPATH": "1"}


def python_module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module as `__main__` in a new Python, which finds the modules that this one finds.

    It finds none in the current folder, where any file could have a module's name, unless impasto itself is there.
    """
    return [sys.executable, "-I", "-c", _RUN_MODULE, repr(_import_path()), name, *arguments]


def find_program(name: str) -> str | None:
    """Return the absolute path of a program on PATH, or None; relative entries of PATH do not count."""
    program = shutil.which(name, path=_search_path())
    return (
        program if program is not None and Path(program).is_absolute() else None
    )  # Windows looks in the current folder


def _import_path() -> list[str]:
    own, here = Path(__file__).absolute().parents[2].resolve(), Path.cwd()
    return [
        folder for folder in sys.path if Path(folder).is_absolute() and (own == here or Path(folder).resolve() != here)
    ]


def _search_path() -> str:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())
