"""Folders of photos: several at a time, and how they end early."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from impasto.configs.errors import RequestError
from impasto.export import folder
from impasto.export.plan import Job

QUIET = Console(stderr=True, force_terminal=False)


def jobs(count: int) -> list[Job]:
    return [Job(Path(f"in/{number}.jpg"), Path(f"{number}.jpg"), Path(f"out/{number}.jpg")) for number in range(count)]


def test_as_many_at_a_time_as_asked() -> None:
    together = threading.Barrier(3)

    def work(job: Job) -> None:
        together.wait(20)

    assert folder.run(jobs(6), work, 3, QUIET) == []


def test_failures_are_named_and_in_order() -> None:
    def work(job: Job) -> None:
        if job.name.stem == "1":
            raise MemoryError
        if job.name.stem in "34":
            raise RequestError("it is odd" if job.name.stem == "4" else "in/3.jpg is torn")

    assert folder.run(jobs(5), work, 2, QUIET) == [
        "in/1.jpg: it needs more memory than there is; shrink it",
        "in/3.jpg is torn",
        "in/4.jpg: it is odd",
    ]


def test_a_full_disk_ends_it_at_once() -> None:
    tried = []

    def work(job: Job) -> None:
        tried.append(job)
        if len(tried) > 3:
            time.sleep(0.05)
        if len(tried) == 3:
            raise RequestError(f"{job.target} cannot be written") from OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RequestError, match=r"2\.jpg cannot be written; \d+ photos of 99 written, the same") as caught:
        folder.run(jobs(99), work, 1, QUIET)
    assert len(tried) < 99 and f" {len(tried) - 1} photos " in str(caught.value)


def test_ctrl_c_ends_it_after_the_photos_in_hand() -> None:
    begun, ended, go = [], [], threading.Event()

    def work(job: Job) -> None:
        begun.append(job)
        if len(begun) == 2:
            os.kill(os.getpid(), 2)
            go.set()
        go.wait(20)
        ended.append(job)

    with pytest.raises(KeyboardInterrupt, match="interrupted; what is written stays"):
        folder.run(jobs(9_999), work, 2, QUIET)
    assert len(begun) == len(ended) < 9_999


def test_every_core_has_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, asked, expected in (
        (2, (0, 0), (2, 1)),
        (1, (0, 0), (1, 1)),
        (16, (0, 0), (4, 13)),
        (16, (8, 0), (8, 9)),
        (2, (6, 0), (6, 1)),
        (2, (1, 0), (1, 2)),
        (2, (0, 5), (2, 5)),
    ):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: range(cores), raising=False)
        assert folder.division(*asked) == expected
