"""The progress bar of a run: speed, time left, losses."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column


class Display:
    """A live bar in a terminal; elsewhere, a line whenever the network was validated or a tenth is done. On stderr."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),  # a file's name may look like markup
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            # In a narrow window the losses give way, not the time left.
            TextColumn(
                "{task.fields[training]}{task.fields[validation]}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True),
            ),
            console=self.console,
            disable=not self.console.is_terminal,
            expand=True,
            speed_estimate_period=60,
            refresh_per_second=2,  # rich's ten take a hundredth of a core
        )
        self._task = self._bar.add_task(title, total=1.0, training="", validation="")
        self._training = ""
        self._tenths = 0

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def trained(self, fraction: float, row: dict[str, float]) -> None:
        """Show how far the run is (0..1), its speed and the losses of its last steps."""
        self._training = f"{row['images_per_second']:.1f} images/s, loss {_losses(row)}"
        self._bar.update(self._task, completed=fraction, training=self._training)

    def validated(self, fraction: float, row: dict[str, float]) -> None:
        """Show the losses on held-out photos."""
        losses = {name.removeprefix("val_"): value for name, value in row.items()}
        self._bar.update(self._task, completed=fraction, validation=f", held out {_short(losses['total'])}")
        if self._bar.disable:
            self.say(f"{fraction:4.0%}  step {row['step']:.0f}  {self._training}  held out {_losses(losses)}")

    def optimized(self, fraction: float, iteration: int, seconds: float, losses: dict[str, float]) -> None:
        """Show how far the optimizer is (0..1), its seconds per iteration and the losses of the last one."""
        terms = " + ".join(f"{name} {value:.4g}" for name, value in losses.items() if name != "total" and value)
        line = f"{seconds:.2f} s/iteration, loss {losses['total']:.4g} = {terms}"
        self._bar.update(self._task, completed=fraction, training=line)
        if self._bar.disable and int(10 * fraction) > self._tenths:
            self._tenths = int(10 * fraction)
            self.say(f"{fraction:4.0%}  iteration {iteration}  {line}")

    def note(self, fraction: float, text: str) -> None:
        """Show how far the work is (0..1), and a line on it."""
        self._bar.update(self._task, completed=fraction, training=text)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.console.print(line, soft_wrap=True, markup=False)


def _losses(row: dict[str, float]) -> str:
    return f"{_short(row['total'])} = content {_short(row['content'])} + style {_short(row['style'])}"


def _short(value: float) -> str:
    """Three digits and a unit: 228k, 1.35M."""
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
