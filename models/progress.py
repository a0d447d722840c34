"""The progress bar of all commands, and the console on stderr that it is shown on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Self

from impasto.configs.terminal import printable

if TYPE_CHECKING:  # rich takes a tenth of a second to load
    from rich.console import RenderableType

    from impasto.models.console import Console

OnProgress = Callable[[float], None]
"""Called with the finished fraction of a picture, 0..1."""

_REFRESH = 2  # per second: rich's default of ten takes a hundredth of a core

_hidden = ContextVar("hidden", default=False)


def ignore_progress(fraction: float) -> None:
    """An OnProgress that does nothing."""


@contextmanager
def show_progress(enabled: bool) -> Iterator[None]:
    """While entered, and unless `enabled`, this thread shows no progress; log messages go to the caller's handlers."""
    token = _hidden.set(not enabled)
    try:
        yield
    finally:
        _hidden.reset(token)


def is_hidden() -> bool:
    """Whether `show_progress(False)` is entered in this thread."""
    return _hidden.get()


def stderr_console(quiet: bool = False) -> "Console":
    """The console of progress bars and messages."""
    from impasto.models.console import Console

    return Console(stderr=True, quiet=quiet or is_hidden())


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], object]]:
    """Show a line on the current step in a terminal, with a spinner; yields what replaces the line."""
    from rich.text import Text

    from impasto.models.console import Console

    # The console needs the present stderr, since suppress_output replaces it while a converter runs.
    with Console(file=sys.stderr, quiet=is_hidden()).status(text) as status:
        yield lambda line: status.update(Text(printable(line)))  # of a str, rich would read markup


class ProgressBar:
    """A live bar in a terminal, and nothing elsewhere: a title, the finished part, the time, and a text.

    Args:
        title: What is done.
        console: Where the bar is shown; by default stderr.
        total: The amount of work; None if unknown.
        unit: What the amount counts, in the plural: the bar shows `3/40` and a speed. Without a unit it shows percents
            and the text of `update`.
    """

    def __init__(
        self, title: str, console: "Console | None" = None, total: float | None = 1.0, unit: str | None = None
    ) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self.console = console or stderr_console()
        self._unit, self._text = unit, ""
        self._progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False),  # a file's name may look like markup
            BarColumn(bar_width=16),
            MofNCompleteColumn() if unit else TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            # In a narrow window the text is cut off, not the time left.
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=self.console,
            disable=not self.console.is_terminal or self.console.quiet,
            expand=True,
            speed_estimate_period=60,
            refresh_per_second=_REFRESH,
        )
        self._task = self._progress.add_task(printable(title), total=total, text="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __rich__(self) -> "RenderableType":
        return self._progress.get_renderable()

    @property
    def live(self) -> bool:
        """Whether the console is a terminal, so that the bar is shown."""
        return not self._progress.disable

    def update(self, completed: float, text: str | None = None) -> None:
        """Show the finished amount of work; a text replaces the one before."""
        if self._unit is not None:
            elapsed = self._progress.tasks[self._task].elapsed
            text = f"{completed / elapsed if elapsed else 0:.1f} {self._unit}/s"
        self._text = self._text if text is None else printable(text)
        self._progress.update(self._task, completed=completed, text=self._text)

    def advance(self) -> None:
        """Count one more unit."""
        self.update(self._progress.tasks[self._task].completed + 1)
