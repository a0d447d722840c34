"""Folders that the workers of pytest-xdist create once and share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` of this test session: the first caller fills it by `make(folder)`, the others wait.

    Tests must not change its contents. A folder whose `make` raised an exception is not shared.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "shared" / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not (done := folder.with_name(f"{name}.done")).exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            done.touch()
    return folder
