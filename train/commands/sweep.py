"""impasto-sweep: summarize a sweep, also after jobs of it were resumed or have ended."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from impasto.configs.cli.app import run
from impasto.configs.schema.sweep import SweepConfig


def main() -> None:
    """Show the results of a sweep."""
    run("sweep", task, extra="train")


def task(config: SweepConfig) -> None:
    """Write sweep.csv and sheet.png into the directory of a sweep, and print the table."""
    from impasto.train.commands import sweep_report

    sweep_report.show(Path(config.sweep))


class SweepReport(Callback):
    """Summarizes a sweep of impasto-train when its last job has ended (configs/train/train.yaml)."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        task(SweepConfig(config.hydra.sweep.dir))
