"""Sweeps: Hydra launches the jobs, in any process, and each leaves a status file in the directory of the sweep."""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from impasto.configs.cli import run_dir
from impasto.configs.cli.overrides import SWEEP_DIR, key_of, quote, slug
from impasto.configs.cli.vocabulary import Vocabulary
from impasto.configs.errors import FULL_ERROR, CheckFailed, UsageError, exit_code, sentence

log = logging.getLogger("impasto")


@dataclass(frozen=True)
class JobStatus:
    """A job of a sweep, its run directory relative to the sweep's, and how it ended: exit code and a sentence.

    `code` is None until the job ends; a job that was killed keeps it.
    """

    job: int
    folder: str
    overrides: list[str]
    code: int | None = None
    message: str = ""


def status_path(sweep: Path, job: int) -> Path:
    """The status file of a job."""
    return sweep / ".jobs" / f"{job}.json"


def read(sweep: Path) -> list[JobStatus]:
    """The jobs of a sweep, by number; none if the directory is not a sweep's."""
    jobs = []
    for path in sweep.glob(".jobs/*.json"):
        with suppress(OSError, ValueError, TypeError):
            jobs.append(JobStatus(**json.loads(path.read_text(encoding="utf-8"))))
    return sorted(jobs, key=lambda status: status.job)


def _write(sweep: Path, folder: str, code: int | None = None, message: str = "") -> None:
    hydra: Any = HydraConfig.get()
    overrides: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    status = JobStatus(hydra.job.num, folder, overrides, code, message)
    run_dir.write(status_path(sweep, status.job), json.dumps(asdict(status), indent=1) + "\n")


@dataclass
class Job:
    """What Hydra calls with each job's configuration. It records an error, which Hydra would print."""

    command: str
    task: Callable[[Any], None]
    launched_by: int = field(default_factory=os.getpid)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In another process, before the launcher there resolves the job's configuration.
        OmegaConf.register_new_resolver("slug", slug, replace=True)
        self.__dict__ |= state

    def __call__(self, config: DictConfig) -> None:
        hydra, here = HydraConfig.get(), os.getpid() == self.launched_by
        output, sweep = Path(hydra.runtime.output_dir), Path(hydra.sweep.dir)
        code, message = None, ""
        try:
            self.task(Vocabulary(self.command).validated(config))
            code = 0
        except (Exception, KeyboardInterrupt) as error:
            code, message = exit_code(error), sentence(error)
            if os.environ.get(FULL_ERROR) == "1":
                message = traceback.format_exc()
            if here and isinstance(error, KeyboardInterrupt):
                raise
            if here:
                log.error("job %d: %s", hydra.job.num, message)
        finally:
            _write(sweep, os.path.relpath(output, sweep), code, message)
            with suppress(OSError):  # Hydra creates the directory of a job that then fails its checks
                output.rmdir()


def launch(hydra: Hydra, job: Job, lines: list[str], configs: Sequence[DictConfig]) -> None:
    """Run every job of a sweep, then exit with the code of the first that failed, if any did."""
    with run_dir.selected(configs[0]):
        folder = run_dir.directory(HydraConfig.get().sweep.dir, SWEEP_DIR)
    named = any(key_of(line) == SWEEP_DIR for line in lines)
    if named and any(status.code == 0 for status in read(folder)):
        raise UsageError(f"{SWEEP_DIR}={folder} holds an earlier sweep; name another directory")
    folder = run_dir.create(folder, exist_ok=named)
    for config in configs:
        with run_dir.selected(config):
            _write(folder, HydraConfig.get().sweep.subdir)
    lines = [*lines, f"{SWEEP_DIR}={quote(str(folder))}", "hydra.mode=MULTIRUN"]
    away = not str(configs[0].hydra.launcher._target_).endswith(".BasicLauncher")
    over = Event()
    follower = Thread(target=_follow, args=(folder, len(configs), over), daemon=True)
    if away:
        follower.start()
    try:
        hydra.multirun(job.command, job, lines, with_log_configuration=False)
    except Exception as error:
        if not away or isinstance(error, UsageError):
            raise
        raise CheckFailed(f"the launcher lost a job ({sentence(error)}); resume= continues what it left") from error
    finally:
        over.set()
        if away:
            follower.join()
    if failed := [status for status in read(folder) if status.code]:
        sys.exit(failed[0].code)  # each job has logged its sentence


def _follow(sweep: Path, jobs: int, over: Event) -> None:
    """Log how each job in another process ended, as soon as it did."""
    ended: set[int] = set()
    last = False
    while not last:
        last = over.wait(timeout=0.5)
        for status in read(sweep):
            if status.code is not None and status.job not in ended:
                ended.add(status.job)
                if status.code:
                    log.error("job %d: %s", status.job, status.message)
                else:
                    log.info("job %d has ended, %d of %d: %s", status.job, len(ended), jobs, status.folder)
