"""The tables that impasto-export, impasto-verify and impasto-bench print."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.text import Text

from impasto.export.validation.latency import Latency
from impasto.export.validation.parity import ParityResult, worst
from impasto.models.console import Console, Table

_WIDTH = 150  # columns


def console(file: TextIO | None = None) -> Console:
    """Return a console on a stream, by default stdout; wide enough for the tables where that is not a terminal."""
    file = file or sys.stdout
    return Console(file=file) if file.isatty() else Console(file=file, width=_WIDTH)


def files(sizes: Mapping[str, int]) -> Table:
    """The files of a bundle with their sizes in bytes; a package is one row."""
    total: Counter[str] = Counter()
    for name, size in sizes.items():
        total["/".join(name.split("/")[:2])] += size
    table = Table("file", "bytes")
    table.columns[1].justify = "right"
    for name, size in total.items():
        table.add_row(name, f"{size:,}")
    return table


def parity(results: Sequence[ParityResult], skipped_runtimes: Mapping[str, str]) -> list[Table]:
    """For each file and runtime the image that differs most; and the runtimes that did not run."""
    columns = "file", "runtime", "picture", "max difference", "bytes that differ", "PSNR", "tolerance"
    table = Table(*columns, title="parity")
    table.columns[0].no_wrap = True
    for row in worst(results):
        psnr = "identical" if row.psnr is None else f"{row.psnr:.1f} dB"
        table.add_row(
            *(row.file, row.runtime, row.picture, f"{row.max_difference} of 255", f"{row.differing:.3%}", psnr),
            Text(str(row.tolerance), "red" if row.failure() else ""),
        )
    if not skipped_runtimes:
        return [table]
    skipped = Table("not run", "why")
    for key, reason in skipped_runtimes.items():
        skipped.add_row(key, reason)
    return [table, skipped]


def latency(measured: Latency) -> Table:
    """Latency and memory of each file by size and number of threads."""
    table = Table("size", "threads", "file", "ms", "MiB", title=f"ONNX Runtime on {measured.machine}")
    for row in measured.rows:
        table.add_row(f"{row.width}x{row.height}", str(row.threads), row.file, f"{row.ms:,.0f}", memory(row.peak_mib))
    return table


def memory(peak_mib: int | None) -> str:
    """A peak memory in MiB as a cell of a table."""
    return "unknown" if peak_mib is None else f"{peak_mib:,}"


def graph(operators: Mapping[str, int], execution_providers: Mapping[str, str]) -> list[Table]:
    """The operators of the ONNX file, and what each execution provider supports of it."""
    counts = Table("operators of the ONNX file", show_header=True)
    counts.add_row(", ".join(f"{name} {count}" for name, count in operators.items()))
    providers = Table("execution provider", "takes the whole graph")
    for name, verdict in execution_providers.items():
        providers.add_row(name, verdict)
    return [counts, providers]
