"""What several wings' tests share: photos, and a tiny run of impasto-train."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import fork_server
from tests.helpers.commands import TINY, Process, Run, Start
from tests.helpers.shared import shared

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has one core, and so have the processes that it starts
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Fixtures that start a command or export a network: whoever uses one of them is slow, even if it is not marked.
SLOW_FIXTURES = {"impasto", "start_impasto", "package", "packages", "variants"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use a slow fixture, directly or through another."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape surrogates in captured output: a worker of pytest-xdist cannot send them, and would end."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _restored_logger() -> Iterator[None]:
    """Undo what a command that runs in this process changes about impasto's logger."""
    logger = logging.getLogger("impasto")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight smooth photos of 80x60, each of different colors; not to be changed."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(0)
        for number in range(8):
            small = Image.fromarray(random.integers(0, 255, (5, 6, 3), np.uint8))
            small.resize((80, 60), Image.Resampling.BICUBIC).save(folder / f"photo_{number}.jpg", quality=95)

    return shared(tmp_path_factory, "photos", make)


@pytest.fixture(scope="session")
def start_impasto() -> Iterator[Start]:
    """Start a console script: start_impasto("train", "seed=1") returns a running process."""
    server = fork_server.ForkServer()

    def start(verb: str, *arguments: object, cwd: Path | None = None, new_session: bool = False) -> Process:
        script, words = Path(sys.executable).with_name(f"impasto-{verb}"), [*map(str, arguments)]
        if fork_server.AVAILABLE:
            return server.start(script, words, cwd, new_session)
        line = [str(script), *words]
        return subprocess.Popen(line, stdout=-1, stderr=-1, text=True, cwd=cwd, start_new_session=new_session)

    yield start
    server.close()


@pytest.fixture(scope="session")
def impasto(start_impasto: Start) -> Callable[..., Run]:
    """Run a console script: impasto("train", "seed=1")."""

    def call(verb: str, *arguments: object, cwd: Path | None = None, timeout: float = 300) -> Run:
        process = start_impasto(verb, *arguments, cwd=cwd)
        streams = process.communicate(timeout=timeout)
        assert process.returncode is not None
        return subprocess.CompletedProcess([f"impasto-{verb}", *map(str, arguments)], process.returncode, *streams)

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, impasto: Callable[..., Run]) -> Path:
    """The directory of a finished tiny run; not to be changed."""

    def make(folder: Path) -> None:
        done = impasto("train", *TINY, f"data.root={photo_folder}", f"hydra.run.dir={folder / 'run'}")
        assert done.returncode == 0, done.stderr

    return shared(tmp_path_factory, "tiny", make) / "run"
