"""The tables that impasto-export and impasto-verify print."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from impasto.export.parity import Row, worst

_WIDTH = 150  # columns


def console() -> Console:
    """Where tables go: stdout, wide enough for them where it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH)


def files(listed: Mapping[str, Mapping[str, Any]]) -> Table:
    """The files of a bundle with their sizes; a package is one thing."""
    sizes: Counter[str] = Counter()
    for name, facts in listed.items():
        sizes["/".join(name.split("/")[:2])] += facts["bytes"]
    table = Table("file", "bytes")
    table.columns[1].justify = "right"
    for name, size in sizes.items():
        table.add_row(name, f"{size:,}")
    return table


def parity(rows: Sequence[Row], lacking: Mapping[str, str]) -> list[Table]:
    """Of each file in each runtime the picture that differs most; and the runtimes that did not run."""
    table = Table("file", "runtime", "picture", "largest", "bytes that differ", "PSNR", "bound", title="parity")
    table.columns[0].no_wrap = True
    for row in worst(rows):
        psnr = "same" if row.psnr is None else f"{row.psnr:.1f} dB"
        table.add_row(
            *(row.file, row.runtime, row.picture, f"{row.largest} of 255", f"{row.share:.3%}", psnr),
            f"[red]{row.bound}[/]" if row.failure() else str(row.bound),
        )
    if not lacking:
        return [table]
    absent = Table("not run", "why")
    for key, reason in lacking.items():
        absent.add_row(key, reason)
    return [table, absent]


def measured(found: Mapping[str, Any]) -> Table:
    """Time and memory of each file by size and number of threads."""
    table = Table("size", "threads", "file", "ms", "MiB", title=f"ONNX Runtime on {found['machine']}")
    for row in found["rows"]:
        table.add_row(
            *(f"{row['width']}x{row['height']}", str(row["threads"]), row["file"]),
            *(f"{row['ms']:,.0f}", f"{row['peak_mib']:,}"),
        )
    return table


def graph(facts: Mapping[str, Any]) -> list[Table]:
    """The operators of the ONNX file, and what each execution provider takes of it."""
    operators = Table("operators of the ONNX file", show_header=True)
    operators.add_row(", ".join(f"{name} {count}" for name, count in facts["operators"].items()))
    providers = Table("execution provider", "takes the whole graph")
    for name, verdict in facts["execution_providers"].items():
        providers.add_row(name, verdict)
    return [operators, providers]
