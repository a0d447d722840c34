"""What a command of train shows: speed, losses and log messages, on and above a progress bar."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from impasto.configs.terminal import PrintableFormatter
from impasto.models.console import Console
from impasto.models.progress import ProgressBar, is_hidden


class _ConsoleHandler(logging.Handler):
    """Prints messages on a console, above its progress bar if it shows one.

    rich's own handler breaks messages into columns, so that paths could not be copied from a narrow terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.setFormatter(PrintableFormatter())
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.console.print(self.format(record), soft_wrap=True)
        except Exception:
            self.handleError(record)


@contextmanager
def log_to(console: Console) -> Iterator[None]:
    """Print the messages of impasto's loggers, from INFO on, on this console and nowhere else.

    Does nothing within `show_progress(False)`: the messages then are the caller's.
    """
    if is_hidden():
        yield
        return
    root = logging.getLogger("impasto")
    handlers, level, propagate = root.handlers, root.level, root.propagate
    root.handlers, root.propagate = [_ConsoleHandler(console)], False
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers, root.propagate = handlers, propagate
        root.setLevel(level)


class Display:
    """A progress bar in a terminal; elsewhere, a line after each validation or each tenth of the work. On stderr.

    While entered, log messages appear above the bar.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._exit_stack = ExitStack()
        self._bar = ProgressBar(title, console)
        self._training = self._validation = ""
        self._tenths = 0

    def __enter__(self) -> "Display":
        self._exit_stack.enter_context(log_to(self._bar.console))
        self._exit_stack.enter_context(self._bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit_stack.close()

    def trained(self, fraction: float, row: dict[str, float]) -> None:
        """Show the completed fraction (0..1) of a training run, its speed and its latest losses."""
        self._training = f"{row['images_per_second']:.1f} images/s, loss {_losses(row)}"
        self._bar.update(fraction, self._training + self._validation)

    def validated(self, fraction: float, row: dict[str, float]) -> None:
        """Show the losses on validation photos."""
        losses = {name.removeprefix("val_"): value for name, value in row.items()}
        self._validation = f", validation {_short(losses['total'])}"
        self._bar.update(fraction, self._training + self._validation)
        if not self._bar.live:
            self._print(f"{fraction:4.0%}  step {row['step']:.0f}  {self._training}  validation {_losses(losses)}")

    def optimized(self, fraction: float, iteration: int, seconds: float, losses: dict[str, float]) -> None:
        """Show the completed fraction (0..1) of an optimization, its seconds per iteration and its latest losses."""
        terms = " + ".join(f"{name} {value:.4g}" for name, value in losses.items() if name != "total" and value)
        line = f"{seconds:.2f} s/iteration, loss {losses['total']:.4g} = {terms}"
        self._bar.update(fraction, line)
        if not self._bar.live and int(10 * fraction) > self._tenths:
            self._tenths = int(10 * fraction)
            self._print(f"{fraction:4.0%}  iteration {iteration}  {line}")

    def note(self, fraction: float, text: str) -> None:
        """Show the completed fraction (0..1) and a line of text."""
        self._bar.update(fraction, text)

    def _print(self, line: str) -> None:
        self._bar.console.print(line, soft_wrap=True)


def _losses(row: dict[str, float]) -> str:
    return f"{_short(row['total'])} = content {_short(row['content'])} + style {_short(row['style'])}"


def _short(value: float) -> str:
    """Three digits and a unit: 228k, 1.35M."""
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
