"""What the tests of commands share: running one in this process, and what it left."""

import sys
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.cli import app, runs
from tests.helpers.cli import Outcome, Start, Task


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
            elif verb == "train":
                run = runs.current()
                run.save(run.claim(), config)

        code = 0
        if verb == "train" and "-m" in arguments:
            arguments = (*arguments, "~hydra.callbacks.report")  # of impasto-train's results, which there are none of
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [f"impasto-{verb}", *arguments])
            try:
                app.run(verb, record)
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 0
        streams = capsys.readouterr()
        return Outcome(code, streams.out, streams.err, configs)

    return start
