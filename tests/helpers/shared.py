"""What the workers of pytest-xdist make once and share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of this test session: the first worker to ask calls `make(folder)`, and the others wait.

    What it holds must not be changed. A folder that `make` leaves by an exception is not shared.
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
