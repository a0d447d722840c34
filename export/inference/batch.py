"""Process the photos of a folder in parallel; a photo that fails does not affect the others."""

import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from impasto.configs.errors import UsageError
from impasto.export.inference.jobs import Job
from impasto.models.console import Console
from impasto.models.progress import ProgressBar

# Measured on two shared cores with `tiny` (benchmarks/folder.py). A photo of 12 megapixels takes 4.4 s of CPU time as
# one of two threads, 4.9 s in one of two processes (startup included) and 8.5 s alone on two threads; one of 0.3
# megapixels takes 0.05 to 0.06 s either way. Threads share the model and the progress bar and take less memory. Beyond
# four workers, memory matters more.
MAX_WORKERS = 4

_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # errors that would also fail all further photos


def choose_parallelism(workers: int, threads: int) -> tuple[int, int]:
    """Return the number of workers and of ONNX Runtime's threads; 0 is replaced by a value that suits this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or min(MAX_WORKERS, cores)
    # Each worker computes in its own thread, and all of them share the session's further threads.
    return workers, threads or max(1, cores - workers + 1)


def run(jobs: Sequence[Job], work: Callable[[Job], None], workers: int, console: Console) -> list[str]:
    """Call `work` for each job.

    Args:
        jobs: The photos.
        work: Stylizes one photo and writes the result; called from several threads.
        workers: Number of threads.
        console: Where the progress bar is shown.

    Returns:
        A message for each photo that failed, in order; each names its photo.

    Raises:
        UsageError: The disk is full or read-only.
        KeyboardInterrupt: After Ctrl-C, once the running photos are finished. What is written remains.
    """
    failures: dict[int, str] = {}
    pool = ThreadPoolExecutor(workers)
    with ProgressBar("stylizing", console, len(jobs), "photos") as progress:
        try:
            futures: dict[Future[None], int] = {pool.submit(work, job): number for number, job in enumerate(jobs)}
            for future in as_completed(futures):
                number = futures[future]
                try:
                    future.result()
                except (UsageError, MemoryError) as error:
                    failures[number] = failure_message(jobs[number], error)
                    if getattr(error.__cause__, "errno", None) in _FATAL:
                        pool.shutdown(cancel_futures=True)
                        written = sum(not one.cancelled() and one.exception() is None for one in futures)
                        status = f"{count_photos(written)} of {len(jobs)} written; repeat the command for the rest"
                        raise UsageError(f"{failures[number]}; {status}") from error
                progress.advance()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise KeyboardInterrupt(
                "interrupted; finished photos are written, repeat the command for the rest"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return [failures[number] for number in sorted(failures)]


def failure_message(job: Job, error: UsageError | MemoryError) -> str:
    """Return one sentence about a photo that failed; it names the photo."""
    text = "not enough memory; reduce its size" if isinstance(error, MemoryError) else str(error)
    return text if str(job.photo) in text else f"{job.photo}: {text}"


def count_photos(photos: int) -> str:
    """Return `1 photo`, `2 photos`."""
    return f"{photos} photo{'' if photos == 1 else 's'}"
