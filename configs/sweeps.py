"""Sweeps: a job that may run in any process, and the notes in the sweep's folder that say how each job ended."""

import json
import os
import shutil
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from impasto.configs import rules
from impasto.configs.errors import FULL_ERROR, exit_code, sentence

_NOTES = ".jobs"


@dataclass(frozen=True)
class Note:
    """A job of a sweep, the folder of its run, relative to the sweep's, and how it ended: exit code and a sentence.

    `code` is None while no end is known: the job waits, runs, or was killed.
    """

    job: int
    folder: str
    overrides: list[str]
    code: int | None = None
    said: str = ""
    trace: str = ""

    def write(self, sweep: Path) -> None:
        """Write it whole or not at all."""
        path = _path(sweep, self.job)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{uuid.uuid4().hex}.part")
        part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        part.replace(path)


def read(sweep: Path) -> list[Note]:
    """The notes of a sweep's jobs, by number; none where the folder holds no sweep."""
    notes = [_read(path) for path in (sweep / _NOTES).glob("*.json")]
    return sorted((note for note in notes if note is not None), key=lambda note: note.job)


def noted_at(sweep: Path, note: Note) -> float:
    """When a note was written, in seconds since 1970."""
    return _path(sweep, note.job).stat().st_mtime


def forget(sweep: Path) -> None:
    """Take the notes away, of a sweep of which nothing else is left."""
    shutil.rmtree(sweep / _NOTES, ignore_errors=True)


def _path(sweep: Path, job: int) -> Path:
    return sweep / _NOTES / f"{job}.json"


def _read(path: Path) -> Note | None:
    with suppress(OSError, ValueError, TypeError):
        return Note(**json.loads(path.read_text(encoding="utf-8")))
    return None


@dataclass
class Job:
    """What Hydra calls with each job's configuration: it runs a command's task.

    Launchers pickle it and call it in other processes, on other machines: there it is not `here`, and all that comes
    back is the note in the folder `sweep` (None: no sweep). What the task raises is kept from Hydra, which would print
    a line of its own: here in `failures`.
    """

    verb: str
    task: Callable[[Any], None]
    sweep: Path | None
    full_error: str | None = field(default_factory=lambda: os.environ.get(FULL_ERROR))
    here: bool = True
    failures: list[Exception] = field(default_factory=list)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"here": False, "failures": []}

    def __call__(self, config: DictConfig) -> None:
        try:
            with environment(FULL_ERROR, self.full_error):
                checked = OmegaConf.to_object(config)
                rules.check(checked)  # again, for sweepers that make up values
                self.task(checked)
        except (Exception, KeyboardInterrupt) as error:
            self._failed(error)
            if isinstance(error, Exception):
                self.failures.append(error)
            elif self.here:
                raise
        else:
            self._note(0)

    def _failed(self, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error)) if self.full_error == "1" else ""
        self._note(exit_code(error), sentence(error), trace)
        if self.sweep is None or (self.here and (trace or isinstance(error, KeyboardInterrupt))):
            return  # the command itself says it
        say(self.verb, self._number(), trace or sentence(error))

    def _note(self, code: int, said: str = "", trace: str = "") -> None:
        if self.sweep is not None:
            hydra = HydraConfig.get()
            folder = os.path.relpath(hydra.runtime.output_dir, self.sweep)
            Note(self._number(), folder, [*hydra.overrides.task], code, said, trace).write(self.sweep)

    def _number(self) -> int:
        return int(HydraConfig.get().job.num)


def say(verb: str, job: int, text: str) -> None:
    """Print what a job failed with."""
    print(f"impasto-{verb}: job {job}: {text}", file=sys.stderr)


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable, or unset it for None, while the block runs."""
    before = os.environ.get(name)
    try:
        _set(name, value)
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
