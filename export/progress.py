"""The progress bar of photos or frames: how many, how fast, how long yet."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def bar(unit: str, console: Console, show: bool = True) -> Progress:
    """A bar that counts `unit`s; only on a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not (show and console.is_terminal), speed_estimate_period=60)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:.1f} {self.unit}/s")
