"""impasto-export."""

import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from impasto.configs.app import run
from impasto.configs.shipping import ExportConfig

if TYPE_CHECKING:
    from impasto.export.bundle import Manifest


def main() -> None:
    """Turn a checkpoint into a bundle for app developers."""
    run("export", task)


def task(config: ExportConfig) -> None:
    """Write the bundle, and print what is in it."""
    # The console keeps today's stderr, since a converter at work has another.
    with Console(file=sys.stderr).status("reading the checkpoint") as status:
        from impasto.export import bundle  # torch and the converters take seconds to load

        manifest = bundle.write(config, status.update)
    for table in _tables(manifest):
        Console().print(table)
    print(f"{config.output} is complete; its README.md is for the app developer")


def _tables(manifest: "Manifest") -> tuple[Table, Table]:
    sizes: Counter[str] = Counter()
    for name, facts in manifest["files"].items():
        sizes["/".join(name.split("/")[:2])] += facts["bytes"]  # a package is one thing
    files = Table("file", "bytes")
    files.columns[1].justify = "right"
    for name, size in sizes.items():
        files.add_row(name, f"{size:,}")
    rows = manifest["android"]["parity"]["rows"]
    differences = Table("picture", "largest difference", "mean", "bytes that differ", title="ONNX Runtime, PyTorch")
    for row in rows:
        differences.add_row(
            f"{row['width']}x{row['height']}", f"{row['largest']} of 255", f"{row['mean']:.6f}", f"{row['share']:.4%}"
        )
    return files, differences
