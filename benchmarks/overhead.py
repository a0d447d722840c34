"""What of a run's time goes to its progress bar and its logs: a real run of impasto-train, whose calls are timed.

Seconds are CPU time of the thread that spends them, the bar's own and TensorBoard's included. The bar is drawn as in a
terminal. Sheets, curves, validation and checkpoints are listed beside them: they are what a run is to leave behind.

Run: .venv/bin/python -m benchmarks.overhead data.root=PHOTOS trainer.minutes=1 [key=value ...]
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
    """Add up the CPU time of a method's calls under a name."""
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

    from impasto.train import command
    from impasto.train.display import Display
    from impasto.train.records import Records
    from impasto.train.trainer import Trainer

    timed(Live, "refresh", "bar")  # by its thread, ten times a second
    for method in ("trained", "validated"):
        timed(Display, method, "bar")
    timed(Records, "row", "logs")
    timed(Records, "skip", "logs")
    timed(RecordWriter, "write", "logs")  # by TensorBoard's thread
    timed(Records, "sample", "sheets and curves")
    timed(Records, "checkpoint", "checkpoints")
    timed(Trainer, "_validate", "validation")
    with tempfile.TemporaryDirectory() as directory:
        sys.argv[1:] = [*sys.argv[1:], f"hydra.run.dir={directory}/run"]
        started = time.perf_counter()
        command.main()
        seconds = time.perf_counter() - started
    table = Table("part", "seconds", "of the run", title=f"a run of {seconds:.1f} s, its start included")
    for kind, spent in _spent.items():
        table.add_row(kind, f"{spent:.2f}", f"{spent / seconds:.2%}")
    both = _spent.get("bar", 0.0) + _spent.get("logs", 0.0)
    table.add_row("bar and logs", f"{both:.2f}", f"{both / seconds:.2%}")
    Console(force_terminal=False).print(table)


if __name__ == "__main__":
    main()
