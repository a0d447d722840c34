"""The share of a run's time that its progress bar and logs take, measured in a real run of impasto-train.

Seconds are CPU time of all threads, including those of the bar and of TensorBoard. The bar is drawn as in a terminal.
Sheets, curves, validation and checkpoints are listed for comparison.

Run: python -m benchmarks.overhead data.root=PHOTOS trainer.minutes=1 [key=value ...]
"""

import functools
import os
import sys
import tempfile
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

_spent: dict[str, float] = {}


def timed(holder: Any, method: str, kind: str) -> None:
    """Add the CPU time of a method's calls to an entry of the table."""
    original = getattr(holder, method)

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        started = time.thread_time()
        try:
            return original(*arguments, **options)
        finally:
            _spent[kind] = _spent.get(kind, 0.0) + time.thread_time() - started

    setattr(holder, method, call)


def main() -> None:
    """Train and print."""
    os.environ["FORCE_COLOR"] = "1"  # rich then takes what it writes to for a terminal
    from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

    from impasto.train.commands import train
    from impasto.train.engine.callbacks import Validation
    from impasto.train.engine.run_logger import RunLogger
    from impasto.train.runtime.progress import Display

    timed(Live, "refresh", "bar")  # by its thread
    for method in ("trained", "validated"):
        timed(Display, method, "bar")
    timed(RunLogger, "row", "logs")
    timed(RunLogger, "skip", "logs")
    timed(RecordWriter, "write", "logs")  # by TensorBoard's thread
    timed(RunLogger, "sample", "sheets and curves")
    timed(RunLogger, "checkpoint", "checkpoints")
    timed(Validation, "measure", "validation")
    with tempfile.TemporaryDirectory() as directory:
        sys.argv[1:] = [*sys.argv[1:], f"hydra.run.dir={directory}/run"]
        started = time.perf_counter()
        train.main()
        seconds = time.perf_counter() - started
    table = Table("part", "seconds", "of the run", title=f"a run of {seconds:.1f} s, its start included")
    for kind, spent in _spent.items():
        table.add_row(kind, f"{spent:.2f}", f"{spent / seconds:.2%}")
    both = _spent.get("bar", 0.0) + _spent.get("logs", 0.0)
    table.add_row("bar and logs", f"{both:.2f}", f"{both / seconds:.2%}")
    Console(force_terminal=False).print(table)


if __name__ == "__main__":
    main()
