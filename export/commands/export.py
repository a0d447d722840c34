"""impasto-export: turn a checkpoint into a bundle for app developers."""

from pathlib import Path

from impasto.configs.cli.app import run
from impasto.configs.schema.export import ExportConfig
from impasto.configs.terminal import show
from impasto.export.validation import report
from impasto.models.progress import spinner


def main() -> None:
    """Turn a checkpoint into a bundle for app developers."""
    run("export", task, extra="export")


def task(config: ExportConfig) -> None:
    """Write the bundle, and print its files, parity results and latency."""
    with spinner("reading the checkpoint") as on_progress:
        from impasto.export.bundle import writer  # torch and the converters take seconds to load
        from impasto.models.image.decode import quiet_pillow

        quiet_pillow()

        manifest, built = writer.write(config, on_progress)
    console = report.console()
    console.print(report.files({name: entry.bytes for name, entry in manifest.files.items()}))
    console.print(*report.parity(manifest.parity, manifest.skipped_runtimes))
    console.print(*report.graph(manifest.graph.operators, manifest.graph.execution_providers))
    if built.measured is not None:
        console.print(report.latency(built.measured))
    show(f"digest={manifest.digest(Path(config.output).expanduser())}")
    show(f"{config.output} is complete; its README.md is for the app developer")
