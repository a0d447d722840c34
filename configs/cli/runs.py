"""The directories of runs and sweeps. Hydra launches the jobs of a sweep, in any process; each leaves a status file."""

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel

from impasto.configs.atomic_file import atomic_write, write_json
from impasto.configs.cli.overrides import RUN_DIR, SWEEP_DIR, key_of, quote
from impasto.configs.cli.vocabulary import Vocabulary
from impasto.configs.errors import CheckFailed, UsageError, ending

log = logging.getLogger("impasto")


class JobStatus(BaseModel, frozen=True, strict=True):
    """A job of a sweep, its run directory relative to the sweep's, and how it ended: exit code and a sentence.

    `code` is None until the job ends; a job that was killed keeps it.
    """

    job: int
    folder: str
    overrides: list[str]
    code: int | None = None
    message: str = ""
    format: Literal["impasto-job-1"] = "impasto-job-1"


@dataclass(frozen=True)
class Run:
    """Where a run writes to, and what it was started with.

    Attributes:
        directory: The run directory, which may not exist yet.
        named: Whether the user named it, so that it may exist.
        overrides: The settings that differ from the defaults, as `key=value`.
    """

    directory: Path
    named: bool
    overrides: list[str]

    def claim(self) -> Path:
        """Create the directory; if its default name is taken, NAME-2, NAME-3 and so on."""
        return create(self.directory, exist_ok=self.named)

    def save(self, directory: Path, settings: Any) -> None:
        """Write settings and overrides into the directory that `claim` returned, for resume=."""
        (directory / ".hydra").mkdir(exist_ok=True)
        for name, content in (("config", asdict(settings)), ("overrides", self.overrides)):
            with atomic_write(directory / ".hydra" / f"{name}.yaml") as part:
                OmegaConf.save(OmegaConf.create(content), part)


def is_sweep_job() -> bool:
    """Whether the current run is a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def current() -> Run:
    """The run of the command that this process executes."""
    return composed(HydraConfig.get())


def composed(hydra: Any) -> Run:
    """The run of a composed configuration, given its section `hydra`."""
    launched = OmegaConf.select(hydra, "runtime.output_dir")  # the directory of a sweep's job, which exists
    named = launched is not None or RUN_DIR in map(key_of, hydra.overrides.hydra)
    return Run(Path(launched or hydra.run.dir).absolute(), named, list(hydra.overrides.task))


def create(path: Path, exist_ok: bool) -> Path:
    """Create a directory, or the first free one of PATH-2, PATH-3 and so on if `exist_ok` is False."""
    for candidate in chain([path], (path.with_name(f"{path.name}-{number}") for number in count(2))):
        with suppress(FileExistsError):
            candidate.mkdir(parents=True, exist_ok=exist_ok)
            return candidate
    raise AssertionError


def status_path(sweep: Path, job: int) -> Path:
    """The status file of a job."""
    return sweep / ".jobs" / f"{job}.json"


def statuses(sweep: Path) -> list[JobStatus]:
    """The jobs of a sweep, by number; none if the directory is not a sweep's. Files of another kind do not count."""
    jobs = []
    for path in sweep.glob(".jobs/*.json"):
        with suppress(OSError, ValueError):
            status = JobStatus.model_validate_json(path.read_bytes())
            if (sweep / status.folder).resolve().is_relative_to(sweep.resolve()):
                jobs.append(status)
    return sorted(jobs, key=lambda status: status.job)


def check_outputs(settings: Sequence[Any]) -> None:
    """Raise UsageError if jobs of a sweep would write to the same output."""
    for output, jobs in Counter(getattr(job, "output", None) for job in settings).items():
        if output is not None and jobs > 1:
            raise UsageError(
                f"output={output} would be written by {jobs} jobs of the sweep; omit -m, and run the command once for "
                "each value, with another output"
            )


def launch(hydra: Hydra, command: str, task: Callable[[Any], None], lines: list[str], jobs: Sequence[Any]) -> None:
    """Run every job of a sweep, then exit with the code of the first that failed, if any did."""
    folder, named = Path(jobs[0].hydra.sweep.dir).absolute(), SWEEP_DIR in map(key_of, lines)
    if named and any(status.code == 0 for status in statuses(folder)):
        raise UsageError(f"{SWEEP_DIR}={folder} holds an earlier sweep; name another directory")
    folder = create(folder, exist_ok=named)
    (folder / ".jobs").mkdir(exist_ok=True)
    for job in jobs:
        _write_status(folder, job.hydra)
    over = Event()
    follower = Thread(target=_follow, args=(command, folder, over), daemon=True)
    follower.start()
    lines = [*lines, f"{SWEEP_DIR}={quote(str(folder))}", "hydra.mode=MULTIRUN"]
    try:
        hydra.multirun(command, partial(_run_job, command, task, os.getpid()), lines, with_log_configuration=False)
    except Exception as error:
        _, lost = ending(error)
        raise CheckFailed(f"the launcher lost a job ({lost}); resume= continues what it left") from error
    finally:
        over.set()
        follower.join()
    if failed := [status for status in statuses(folder) if status.code]:
        sys.exit(failed[0].code)


def _run_job(command: str, task: Callable[[Any], None], launcher: int, config: DictConfig) -> None:
    """Run a job in its process. An error becomes its status; Hydra would print it."""
    hydra: Any = HydraConfig.get()
    code, message = 0, ""
    try:
        task(Vocabulary(command).validated(config))
    except BaseException as error:
        code, message = ending(error)
        if isinstance(error, KeyboardInterrupt) and os.getpid() == launcher:
            raise KeyboardInterrupt from error  # ends the sweep
    finally:
        _write_status(Path(hydra.sweep.dir), hydra, code, message)


def _write_status(sweep: Path, hydra: Any, code: int | None = None, message: str = "") -> None:
    overrides: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    status = JobStatus(job=hydra.job.num, folder=hydra.sweep.subdir, overrides=overrides, code=code, message=message)
    write_json(status_path(sweep, status.job), status.model_dump())


def _follow(command: str, sweep: Path, over: Event) -> None:
    """Log how each job ended, as soon as it did."""
    ended: set[int] = set()
    last = False
    while not last:
        last = over.wait(timeout=0.5)
        jobs = statuses(sweep)
        for status in (status for status in jobs if status.code is not None and status.job not in ended):
            ended.add(status.job)
            if status.code:
                log.error(f"impasto-{command}: job {status.job}: {status.message}")
            else:
                log.info("job %d has ended, %d of %d: %s", status.job, len(ended), len(jobs), status.folder)
