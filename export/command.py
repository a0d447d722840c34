"""impasto-export."""

import sys

from rich.console import Console

from impasto.configs.app import run
from impasto.configs.shipping import ExportConfig
from impasto.export import tables


def main() -> None:
    """Turn a checkpoint into a bundle for app developers."""
    run("export", task)


def task(config: ExportConfig) -> None:
    """Write the bundle, and print what is in it and what was measured."""
    # The console keeps today's stderr, since a converter at work has another.
    with Console(file=sys.stderr).status("reading the checkpoint") as status:
        from impasto.export import bundle  # torch and the converters take seconds to load

        manifest, found = bundle.write(config, status.update)
    console = tables.console()
    console.print(tables.files(manifest["files"]))
    for table in (*tables.parity(found.rows, found.lacking), *tables.graph(found.facts)):
        console.print(table)
    if found.measured is not None:
        console.print(tables.measured(found.measured))
    print(f"{config.output} is complete; its README.md is for the app developer")
