"""impasto-export: turn a checkpoint into a bundle for app developers."""

import sys

from rich.console import Console

from impasto.configs.cli.app import run
from impasto.configs.schema.export import ExportConfig
from impasto.export.validation import report


def main() -> None:
    """Turn a checkpoint into a bundle for app developers."""
    run("export", task)


def task(config: ExportConfig) -> None:
    """Write the bundle, and print its files, parity results and latency."""
    # The console needs the present stderr, since suppress_output replaces it while a converter runs.
    with Console(file=sys.stderr).status("reading the checkpoint") as status:
        from impasto.export.bundle import writer  # torch and the converters take seconds to load

        manifest, built = writer.write(config, status.update)
    console = report.console()
    console.print(report.files({name: entry.bytes for name, entry in manifest.files.items()}))
    console.print(*report.parity(manifest.parity, manifest.skipped_runtimes))
    console.print(*report.graph(manifest.graph.operators, manifest.graph.execution_providers))
    if built.measured is not None:
        console.print(report.latency(built.measured))
    print(f"{config.output} is complete; its README.md is for the app developer")
