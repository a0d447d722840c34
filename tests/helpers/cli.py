"""Starting a command in this process, and what it left."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def fail(error: BaseException) -> Task:
    def task(config: Any) -> None:
        raise error

    return task


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def shell(folder: Path, *arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; from impasto.configs.cli import app, runs; sys.argv[0] = 'impasto-train'\n"
        "def task(config):\n    run = runs.current(); run.save(run.claim(), config); print(config)\n"
        f"{code}app.run('train', task)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
