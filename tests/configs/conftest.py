"""What the tests of commands share: starting one in this process, and what it left."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from impasto.configs import app

Task = Callable[[Any], None]


@dataclass
class Outcome:
    """What a command left: its exit code, its output, and the configurations that its task was called with."""

    code: int
    out: str
    err: str
    configs: list[Any]

    def sentence(self, code: int, verb: str = "train") -> str:
        """The one line on stderr, without the program's name."""
        assert self.code == code, self.err
        assert self.err.endswith("\n") and self.err.count("\n") == 1, self.err
        assert self.err.startswith(f"impasto-{verb}: "), self.err
        return self.err.removeprefix(f"impasto-{verb}: ").rstrip("\n")


Start = Callable[..., Outcome]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def start(*arguments: str, verb: str = "train", task: Task | None = None) -> Outcome:
        configs: list[Any] = []

        def record(config: Any) -> None:
            configs.append(config)
            if task:
                task(config)

        code = 0
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [f"impasto-{verb}", *arguments])
            try:
                app.run(verb, record)
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 0
        streams = capsys.readouterr()
        return Outcome(code, streams.out, streams.err, configs)

    return start


def fail(error: BaseException) -> Task:
    def task(config: Any) -> None:
        raise error

    return task


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def shell(folder: Path, *arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"import sys; from impasto.configs.app import run; sys.argv[0] = 'impasto-train'\n{code}run('train', print)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
