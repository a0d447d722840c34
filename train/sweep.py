"""impasto-sweep: the table and the sheet of a sweep anew, when runs of it have gone on or ended after the command."""

from pathlib import Path

from impasto.configs.app import run
from impasto.configs.schema import SweepConfig


def main() -> None:
    """Show what came of a sweep."""
    run("sweep", task)


def task(config: SweepConfig) -> None:
    """Write sweep.csv and sheet.png into the folder of a sweep, and print the table."""
    from impasto.train import overview

    overview.show(Path(config.sweep))
