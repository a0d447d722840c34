"""Folders of photos: parallel jobs, failures, and early ends."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.inference import batch
from impasto.export.inference.jobs import Job
from impasto.models.console import Console

QUIET = Console(stderr=True, force_terminal=False)


def jobs(count: int) -> list[Job]:
    return [Job(Path(f"in/{number}.jpg"), Path(f"{number}.jpg"), Path(f"out/{number}.jpg")) for number in range(count)]


def test_run_starts_as_many_jobs_as_workers() -> None:
    barrier = threading.Barrier(3)

    def work(job: Job) -> None:
        barrier.wait(20)

    assert batch.run(jobs(6), work, 3, QUIET) == []


def test_run_returns_failures_in_order_with_photo_names() -> None:
    def work(job: Job) -> None:
        if job.name.stem == "1":
            raise MemoryError
        if job.name.stem in "34":
            raise UsageError("it is odd" if job.name.stem == "4" else "in/3.jpg is torn")

    assert batch.run(jobs(5), work, 2, QUIET) == [
        "in/1.jpg: not enough memory; reduce its size",
        "in/3.jpg is torn",
        "in/4.jpg: it is odd",
    ]


def test_run_on_full_disk_stops_at_once() -> None:
    attempted = []

    def work(job: Job) -> None:
        attempted.append(job)
        if len(attempted) > 3:
            time.sleep(0.05)
        if len(attempted) == 3:
            raise UsageError(f"{job.target} cannot be written") from OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        UsageError, match=r"2\.jpg cannot be written; \d+ photos of 99 written; repeat the command"
    ) as caught:
        batch.run(jobs(99), work, 1, QUIET)
    assert len(attempted) < 99 and f" {len(attempted) - 1} photos " in str(caught.value)


def test_run_interrupted_finishes_running_photos() -> None:
    started, finished, proceed = [], [], threading.Event()

    def work(job: Job) -> None:
        started.append(job)
        if len(started) == 2:
            os.kill(os.getpid(), 2)
            proceed.set()
        proceed.wait(20)
        finished.append(job)

    with pytest.raises(KeyboardInterrupt, match="interrupted; finished photos are written"):
        batch.run(jobs(9_999), work, 2, QUIET)
    assert len(started) == len(finished) < 9_999


def test_choose_parallelism_uses_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, requested, expected in (
        (2, (0, 0), (2, 1)),
        (1, (0, 0), (1, 1)),
        (16, (0, 0), (4, 13)),
        (16, (8, 0), (8, 9)),
        (2, (6, 0), (6, 1)),
        (2, (1, 0), (1, 2)),
        (2, (0, 5), (2, 5)),
    ):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: range(cores), raising=False)
        assert batch.choose_parallelism(*requested) == expected
