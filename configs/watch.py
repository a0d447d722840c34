"""What is seen of a sweep whose jobs run in other processes: a bar, and each job's end as soon as it is noted."""

from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from impasto.configs import sweeps

_EVERY = 0.5  # s


class Watch:
    """While entered, show how many jobs of a sweep have ended, and say of each how. On stderr."""

    def __init__(self, verb: str, sweep: Path, jobs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Left

        self._verb, self._sweep, self._jobs = verb, sweep, jobs
        self._console = Console(stderr=True, highlight=False)
        columns = (
            TextColumn("jobs"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            Left(),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("jobs", total=jobs)
        self._over = Event()
        self._ended: set[int] = set()
        self._thread = Thread(target=self._look_often, daemon=True)

    def __enter__(self) -> "Watch":
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self._bar.stop()

    def _look_often(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        for note in sweeps.read(self._sweep):
            if note.code is None or note.job in self._ended:
                continue
            self._ended.add(note.job)
            self._bar.update(self._task, completed=len(self._ended))
            if note.code:
                sweeps.say(self._verb, note.job, note.trace or note.said)
            else:
                line = f"job {note.job} has ended, {len(self._ended)} of {self._jobs}: {note.folder}"
                self._console.print(line, soft_wrap=True, markup=False)
