"""What a run leaves in its directory: metrics, TensorBoard events, sheets, curves, checkpoints, the bad photos."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.schema import ModelConfig
from impasto.models import checkpoint, files
from impasto.models.checkpoint import Card
from impasto.models.networks import Transformer
from impasto.models.pictures import UnreadablePicture, read
from impasto.train import resume, sheets

MEASURES = ("total", "content", "style", "tv", "lattice", "stability")
COLUMNS = ("step", "images", "seconds", "images_per_second", "lr", *MEASURES)
VALIDATION_COLUMNS = tuple(f"val_{name}" for name in MEASURES)
PHOTO, NETWORK = "photo", "network, step "  # captions of a sample sheet
KEPT = 2  # checkpoints and states: the newest, and one before it


class Records:
    """The files of one run. Rows up to `first_step` of an earlier part of the run are kept."""

    def __init__(self, directory: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        directory.mkdir(parents=True, exist_ok=True)
        for part in directory.glob(f".*{files.PART}"):  # of a run that was killed while it saved
            part.unlink()
        self.directory = directory
        self.rows = self._earlier(first_step)
        self.skipped = self._skipped_earlier(first_step)
        path = directory / "metrics.csv"
        with files.aside(path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, (*COLUMNS, *VALIDATION_COLUMNS))
            writer.writeheader()
            writer.writerows(self.rows)
        self._file = path.open("a", newline="")
        self._csv = csv.DictWriter(self._file, (*COLUMNS, *VALIDATION_COLUMNS))
        self._events = SummaryWriter(str(directory), purge_step=first_step or None)

    def _earlier(self, first_step: int) -> list[dict[str, float]]:
        return [row for row in rows(self.directory) if row["step"] <= first_step] if first_step else []

    def _skipped_earlier(self, first_step: int) -> set[str]:
        path = self.directory / "skipped.txt"
        return set(path.read_text().splitlines()) if first_step and path.is_file() else set()

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
        pixels = sheets.write_sheet(path, list(zip(photos, stylized, strict=True)), (PHOTO, f"{NETWORK}{step}"))
        self._events.add_image("photo, network", pixels, step, dataformats="HWC")
        sheets.write_curves(self.directory / "curves.png", self.losses(), self.losses("val_"))

    def checkpoint(self, step: int, network: Transformer, model: ModelConfig, card: Card) -> None:
        """Write the network of a step, whose state is saved; only the newest KEPT of both stay.

        Those of later steps go, too: the run fell back to an earlier state and is on another way now.
        """
        path = checkpoint.path(self.directory, step)
        checkpoint.save(path, network, model, card)
        for suffix in (checkpoint.SUFFIX, resume.SUFFIX):
            saved = sorted(self.directory.glob(f"step_*{suffix}"))
            kept = [file for file in saved if file.stem <= path.stem][-KEPT:]
            for old in set(saved) - set(kept):
                old.unlink(missing_ok=True)

    def skip(self, lines: Iterable[str]) -> None:
        """Note photos that could not be read, each once, in skipped.txt."""
        if new := set(lines) - self.skipped:
            self.skipped |= new
            (self.directory / "skipped.txt").write_text("".join(f"{line}\n" for line in sorted(self.skipped)))

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._events.close()


def rows(directory: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv that are whole; none where there is no such file."""
    path = directory / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", errors="replace") as file:
        return [row for values in csv.DictReader(file) if (row := _numbers(values))]


def last_sample(directory: Path, side: int) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]] | None:
    """Photos and the network's pictures [side, side, 3] of a run's last sample sheet; None where none can be read."""
    path = max((directory / "samples").glob("step_*.png"), default=None)
    if path is None:
        return None
    try:
        pixels = read(path).rgb
    except UnreadablePicture:
        return None
    step = int(path.stem.removeprefix("step_"))
    pairs = sheets.cut(pixels, (PHOTO, f"{NETWORK}{step}"), side)
    return [photo for photo, _ in pairs], [picture for _, picture in pairs]


def _numbers(values: dict[str, str]) -> dict[str, float]:
    """A row of metrics.csv; empty where it was cut off."""
    try:
        row = {key: float(value) for key, value in values.items() if value}
    except (TypeError, ValueError):
        return {}
    return row if "step" in row else {}
