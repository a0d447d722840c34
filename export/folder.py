"""A folder of photos, several at a time: what one of them suffers takes nothing from the others."""

import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from rich.console import Console

from impasto.configs.errors import RequestError
from impasto.export.plan import Job
from impasto.export.progress import bar

# Two shared cores, `tiny` (benchmarks/folder.py). 12 megapixels: a photo takes 4.4 s of processor as one of two
# threads, 4.9 in one of two processes (their starts included), 8.5 alone on two threads. 0.3 megapixels: 0.05 to 0.06 s
# by either, and which was the faster changed from run to run. Threads share one model and one progress bar, and take
# less memory. From four on, memory weighs more.
MOST = 4

_NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # what the next photo would meet too


def division(workers: int, threads: int) -> tuple[int, int]:
    """How many photos at a time, and threads of ONNX Runtime, where 0 asks for what suits this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or min(MOST, cores)
    # A worker counts as a thread of its own run; the others are shared by all runs.
    return workers, threads or max(1, cores - workers + 1)


def run(jobs: Sequence[Job], work: Callable[[Job], None], workers: int, console: Console) -> list[str]:
    """Call `work` for each job; gives a sentence for each photo that failed. Every sentence names its photo.

    A full disk raises RequestError at once, and Ctrl-C ends it after the photos in hand: what is written stays.
    """
    failures: dict[int, str] = {}
    pool = ThreadPoolExecutor(workers)
    with bar("photos", console) as progress:
        task = progress.add_task("stylizing", total=len(jobs))
        try:
            futures: dict[Future[None], int] = {pool.submit(work, job): number for number, job in enumerate(jobs)}
            for future in as_completed(futures):
                number = futures[future]
                try:
                    future.result()
                except (RequestError, MemoryError) as error:
                    failures[number] = sentence(jobs[number], error)
                    if getattr(error.__cause__, "errno", None) in _NO_MORE:
                        pool.shutdown(cancel_futures=True)
                        written = sum(not one.cancelled() and one.exception() is None for one in futures)
                        rest = f"{count(written)} of {len(jobs)} written, the same command does the rest"
                        raise RequestError(f"{failures[number]}; {rest}") from error
                progress.update(task, advance=1)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise KeyboardInterrupt("interrupted; what is written stays, the same command does the rest") from None
        finally:
            pool.shutdown(cancel_futures=True)
    return [failures[number] for number in sorted(failures)]


def sentence(job: Job, error: RequestError | MemoryError) -> str:
    """What went wrong with a photo, with its name."""
    text = "it needs more memory than there is; shrink it" if isinstance(error, MemoryError) else str(error)
    return text if str(job.photo) in text else f"{job.photo}: {text}"


def count(photos: int) -> str:
    """`1 photo`, `2 photos`."""
    return f"{photos} photo{'' if photos == 1 else 's'}"
