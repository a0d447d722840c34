"""What a run leaves in its directory: metrics, TensorBoard events, sheets, curves, checkpoints, the bad photos."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.schema import ModelConfig
from impasto.models import checkpoint
from impasto.models.checkpoint import Card
from impasto.models.networks import Transformer
from impasto.train import sheets

MEASURES = ("total", "content", "style", "tv", "lattice", "stability")
COLUMNS = ("step", "images", "seconds", "images_per_second", "lr", *MEASURES)
VALIDATION_COLUMNS = tuple(f"val_{name}" for name in MEASURES)
STATE = "resume.state"
KEPT = 2  # checkpoints: the newest, and one before it


class Records:
    """The files of one run. Rows up to `first_step` of an earlier part of the run are kept."""

    def __init__(self, directory: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.rows = self._earlier(first_step)
        self.skipped: set[str] = set()
        self._file = (directory / "metrics.csv").open("w", newline="")
        self._csv = csv.DictWriter(self._file, (*COLUMNS, *VALIDATION_COLUMNS))
        self._csv.writeheader()
        self._csv.writerows(self.rows)
        self._events = SummaryWriter(str(directory), purge_step=first_step or None)

    def _earlier(self, first_step: int) -> list[dict[str, float]]:
        path = self.directory / "metrics.csv"
        if not first_step or not path.is_file():
            return []
        with path.open(newline="") as file:
            rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        return [row for row in rows if row["step"] <= first_step]

    def row(self, values: dict[str, float]) -> None:
        """Note the losses of a step, of training or of validation (val_*)."""
        self.rows.append(values)
        self._csv.writerow(values)
        self._file.flush()
        for name, value in values.items():
            if name not in ("step", "images"):
                group, label = ("val", name[4:]) if name.startswith("val_") else ("train", name)
                self._events.add_scalar(f"{group}/{label}", value, int(values["step"]))

    def losses(self, prefix: str = "") -> list[dict[str, float]]:
        """The noted losses with a prefix, by step."""
        names = ("total", "content", "style")
        return [
            {"step": row["step"]} | {name: row[prefix + name] for name in names}
            for row in self.rows
            if f"{prefix}total" in row
        ]

    def sample(self, step: int, photos: NDArray[np.uint8], stylized: NDArray[np.uint8]) -> None:
        """Write a sheet of photos [N, H, W, 3] beside the network's pictures, and the curves so far."""
        path = self.directory / "samples" / f"step_{step:08d}.png"
        pixels = sheets.write_sheet(path, list(zip(photos, stylized, strict=True)), ("photo", f"network, step {step}"))
        self._events.add_image("photo, network", pixels, step, dataformats="HWC")
        sheets.write_curves(self.directory / "curves.png", self.losses(), self.losses("val_"))

    def checkpoint(self, step: int, network: Transformer, model: ModelConfig, card: Card) -> Path:
        """Write the network of a step; older checkpoints than the newest KEPT go."""
        path = self.directory / f"step_{step:08d}{checkpoint.SUFFIX}"
        checkpoint.save(path, network, model, card)
        for old in sorted(self.directory.glob(f"step_*{checkpoint.SUFFIX}"))[:-KEPT]:
            old.unlink()
        return path

    def skip(self, lines: Iterable[str]) -> None:
        """Note photos that could not be read, each once, in skipped.txt."""
        if new := set(lines) - self.skipped:
            self.skipped |= new
            (self.directory / "skipped.txt").write_text("".join(f"{line}\n" for line in sorted(self.skipped)))

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._events.close()
