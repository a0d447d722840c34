"""impasto-bench: time and memory of an exported file by resolution, against a second one if asked."""

import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.shipping import BenchConfig
from impasto.export import measure, tables
from impasto.models import exported, files, zoo


def main() -> None:
    """The command."""
    run("bench", task)


def task(config: BenchConfig) -> None:
    """Measure, print a table, and write the figures where `config.output` says."""
    models = [_file(model) for model in (config.model, config.against) if model is not None]
    output = Path(config.output).expanduser() if config.output else None
    if output is not None and not output.parent.is_dir():
        raise RequestError(f"output={output} cannot be written: there is no folder {output.parent}")
    with Console(file=sys.stderr).status("loading") as status:
        rows, machine = compare(models, config, status.update)
    table = Table("size", "threads", "file", "bytes", "ms", "MiB", "times as fast", title=f"ONNX Runtime on {machine}")
    for row in rows:
        table.add_row(
            *(f"{row['width']}x{row['height']}", f"{row['threads']}", row["file"], f"{row['bytes']:,}"),
            *(f"{row['ms']:,.1f}", f"{row['peak_mib']:,}", f"{row['faster']:.2f}" if "faster" in row else ""),
        )
    tables.console().print(table)
    if output is not None:
        files.write_json(output, {"machine": machine, "turns": config.turns, "rows": rows})


def compare(
    models: list[Path], config: BenchConfig, say: Callable[[str], object] = lambda line: None
) -> tuple[list[dict[str, Any]], str]:
    """A row for each size, number of threads and model, and the machine. Keys: those of measure.Row, `bytes`, `faster`.

    `ms` is the median over the turns, `peak_mib` the most; `faster`, of the first of two models, the median over the
    turns of how many times as fast as the second it is. Raises CheckError.
    """
    found: dict[tuple[Any, ...], list[measure.Row]] = {}
    machine = ""
    for turn in range(config.turns):
        prefix = f"turn {turn + 1} of {config.turns}: "
        taken = measure.measure(Path(), [*map(str, models)], config.measure, partial(_after, say, prefix))
        machine = taken["machine"]
        for row in taken["rows"]:
            found.setdefault((row["width"], row["height"], row["threads"], row["file"]), []).append(row)
    rows = []
    for (width, height, threads, file), turns in found.items():
        row = turns[0] | {
            "bytes": Path(file).stat().st_size,
            "ms": statistics.median(turn["ms"] for turn in turns),
            "peak_mib": max(turn["peak_mib"] for turn in turns),
        }
        if len(models) == 2 and file == str(models[0]):
            others = found[width, height, threads, str(models[1])]
            pairs = zip(turns, others, strict=True)
            row["faster"] = statistics.median(other["ms"] / own["ms"] for own, other in pairs)
        rows.append(row)
    return rows, machine


def _after(say: Callable[[str], object], prefix: str, line: str) -> None:
    say(prefix + line)


def _file(model: str) -> Path:
    """The exported file that a name stands for, or RequestError where it cannot be run."""
    path = zoo.resolve(model, ".onnx")
    exported.load(path, threads=1)
    return path / exported.IN_BUNDLE if path.is_dir() else path
