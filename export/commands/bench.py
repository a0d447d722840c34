"""impasto-bench: latency and memory of an exported file by image size, optionally against a second file."""

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from impasto.configs import extras
from impasto.configs.cli.app import run
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.bench import BenchConfig
from impasto.export.commands import output_file
from impasto.export.litert.contracts import SUFFIX
from impasto.export.validation import latency, report
from impasto.models.console import Table
from impasto.models.contract import INPUT
from impasto.models.progress import spinner
from impasto.models.typed_json import TypedJson

FORMAT: Final = "impasto-benchmark-1"


@dataclass(frozen=True)
class BenchRow(TypedJson):
    """The figures of one file at one image size and number of threads, over all rounds."""

    file: str
    bytes: int
    width: int
    height: int
    threads: int
    ms: float
    """The median of the rounds."""
    peak_mib: int | None
    """The maximum of the rounds; None where unknown."""
    speedup: float | None
    """How many times as fast as the baseline the file is: the median of the rounds' ratios; None without a baseline."""


@dataclass(frozen=True)
class BenchReport(TypedJson):
    """What `output=` holds."""

    format: Literal["impasto-benchmark-1"]
    machine: str
    """The processor."""
    rounds: int
    rows: list[BenchRow]


def main() -> None:
    """The command."""
    run("bench", task)


def task(config: BenchConfig) -> None:
    """Measure, print a table, and write the figures to `config.output`."""
    names = [("model", config.model), ("baseline", config.baseline)]
    models = [_resolve(key, name) for key, name in names if name is not None]
    config = _with_sizes(config, models)
    output = output_file.check("output", config.output) if config.output else None
    with spinner("loading") as on_progress:
        rows, machine = compare(models, config, on_progress)
    report.console().print(_table(rows, machine))
    if output is not None:
        report_json = BenchReport(FORMAT, machine, config.benchmark.rounds, rows)
        output_file.write("output", output, json.dumps(report_json.to_json(), indent=1, allow_nan=False) + "\n")


def compare(
    models: list[Path], config: BenchConfig, on_progress: Callable[[str], object] = lambda line: None
) -> tuple[list[BenchRow], str]:
    """Measure one or two files in rounds, in which they take turns.

    Args:
        models: The file, and the baseline if there is one.
        config: The configuration.
        on_progress: Receives a line on the current step.

    Returns:
        A row for each size, number of threads and file; and the processor.

    Raises:
        CheckFailed: A file does not run.
    """
    results: list[latency.Latency] = []
    for number in range(config.benchmark.rounds):
        prefix = f"round {number + 1} of {config.benchmark.rounds}: "

        def report_step(line: str, prefix: str = prefix) -> None:
            on_progress(prefix + line)

        results.append(latency.measure(Path(), [*map(str, models)], config.benchmark, report_step))
    rows = [*_rows(results, baseline=str(models[1]) if len(models) == 2 else None)]
    return rows, results[0].machine


def _rows(results: list[latency.Latency], baseline: str | None) -> Iterator[BenchRow]:
    by_key: dict[tuple[int, int, int, str], list[latency.LatencyRow]] = {}
    for result in results:
        for row in result.rows:
            by_key.setdefault((row.width, row.height, row.threads, row.file), []).append(row)
    for (width, height, threads, file), rounds in by_key.items():
        speedup = None
        if baseline is not None and file != baseline:
            pairs = zip(rounds, by_key[width, height, threads, baseline], strict=True)
            speedup = statistics.median(other.ms / own.ms for own, other in pairs)
        peaks = [row.peak_mib for row in rounds if row.peak_mib is not None]
        yield BenchRow(
            *(file, Path(file).stat().st_size, width, height, threads),
            ms=statistics.median(row.ms for row in rounds),
            peak_mib=max(peaks, default=None),
            speedup=speedup,
        )


def _table(rows: list[BenchRow], machine: str) -> Table:
    runtimes = sorted({"LiteRT" if _is_litert(Path(row.file)) else "ONNX Runtime" for row in rows})
    title = f"{' and '.join(runtimes)} on {machine}"
    table = Table("size", "threads", "file", "bytes", "ms", "MiB", "speedup", title=title)
    for row in rows:
        table.add_row(
            *(f"{row.width}x{row.height}", f"{row.threads}", row.file, f"{row.bytes:,}", f"{row.ms:,.1f}"),
            *(report.memory(row.peak_mib), "" if row.speedup is None else f"{row.speedup:.2f}"),
        )
    return table


def _resolve(key: str, model: str) -> Path:
    """The exported file that a name stands for; UsageError where its runtime cannot load it."""
    from impasto.models import onnx_model, zoo  # onnx_model loads Pillow

    path = zoo.resolve(model, ".onnx")
    if _is_litert(path):
        extras.require("litert", f"{key}={model} is a {SUFFIX} file, which")
        _litert_sizes(path)
        return path
    onnx_model.load(path, threads=1)
    return path / onnx_model.IN_BUNDLE if path.is_dir() else path


def _is_litert(path: Path) -> bool:
    return path.suffix == SUFFIX


def _litert_sizes(path: Path) -> list[tuple[int, int]]:
    """(height, width) of the signatures of a .tflite file, in its order; UsageError where it has none of impasto's."""
    from impasto.export.litert import reader  # loads NumPy

    try:
        shapes = [ends["inputs"][INPUT][1] for ends in reader.signatures(path.read_bytes(), str(path)).values()]
        sizes = [(height, width) for _, height, width, _ in shapes]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (CheckFailed, KeyError, ValueError) as error:
        raise UsageError(f"{path} is not a {SUFFIX} file of impasto-export; export again") from error
    return sizes


def _with_sizes(config: BenchConfig, models: list[Path]) -> BenchConfig:
    """The configuration with the sizes that all files take; UsageError where a .tflite file lacks one that is named."""
    named, wanted = config.benchmark.sizes is not None, config.benchmark.shapes()
    for path in filter(_is_litert, models):
        sizes = _litert_sizes(path)
        lacking = [size for size in wanted if size not in sizes]
        if named and lacking:
            raise UsageError(
                f"benchmark.sizes: {path} has no signature for {lacking[0][1]}x{lacking[0][0]}; it has "
                f"{', '.join(f'{width}x{height}' for height, width in sizes)}"
            )
        wanted, named = wanted if named else sizes, True
    return replace(config, benchmark=replace(config.benchmark, sizes=[f"{width}x{height}" for height, width in wanted]))
