"""The progress bar of the export wing, and the callback for the progress within a picture."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

OnProgress = Callable[[float], None]
"""Called with the finished fraction of a picture, 0..1."""


def ignore_progress(fraction: float) -> None:
    """An OnProgress that does nothing."""


def progress_bar(unit: str, console: Console) -> Progress:
    """Return a bar that counts `unit`s; it is shown only on a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=60)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:.1f} {self.unit}/s")
