"""The files of a run: metrics.csv, TensorBoard events, sample pictures and sheets, curves, checkpoints, skipped.txt."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from impasto.configs import atomic_file
from impasto.models import checkpoint, onnx_writer
from impasto.models.card import Card
from impasto.models.contract import Label
from impasto.models.image.decode import read
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture, UnreadablePicture
from impasto.models.run_directory import BEST, BEST_MODEL, LAST_MODEL
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet
from impasto.train.engine import train_state
from impasto.train.engine.paintings import BY_PAINTING
from impasto.train.engine.training_loss import MEASURES
from impasto.train.runtime import contact_sheet, plots

COLUMNS = ("step", "images", "seconds", "images_per_second", "lr", *MEASURES)
VALIDATION_COLUMNS = tuple(f"val_{name}" for name in MEASURES)
_PAINTING_SIDE = 512  # px, at most, of the painting beside the samples
RETAINED = 2  # checkpoints and states: the newest, and one before it

Pictures = list[NDArray[np.uint8]]


class Logger(Protocol):
    """Where the callbacks of a run write to."""

    def row(self, values: dict[str, float]) -> None:
        """Append a row to metrics.csv: losses of training, or of validation (val_*)."""

    def sample(self, step: int, photos: NDArray[np.uint8], stylized: Sequence[NDArray[np.uint8]]) -> None:
        """Write photos and, by painting, stylized pictures [N, H, W, 3], their sheet, and the curves so far."""

    def checkpoint(self, step: int, network: TransformNet | Store, card: Card) -> None:
        """Write a checkpoint and LAST_MODEL, and delete checkpoints and states that are no longer needed."""

    def best(self, network: TransformNet | Store, card: Card) -> None:
        """Write the checkpoint and the exported file of the lowest validation loss so far."""

    def skip(self, lines: Iterable[str]) -> None:
        """Add unreadable photos to skipped.txt, each once."""

    def close(self) -> None:
        """Close the files."""


class NullLogger:
    """The Logger of a process that writes no files."""

    def row(self, values: dict[str, float]) -> None:
        """Write nothing."""

    def sample(self, step: int, photos: NDArray[np.uint8], stylized: Sequence[NDArray[np.uint8]]) -> None:
        """Write nothing."""

    def checkpoint(self, step: int, network: TransformNet | Store, card: Card) -> None:
        """Write nothing."""

    def best(self, network: TransformNet | Store, card: Card) -> None:
        """Write nothing."""

    def skip(self, lines: Iterable[str]) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Close nothing."""


class RunLogger:
    """The Logger of the main process. Retains the rows of an earlier session up to `first_step`.

    A run of several paintings has columns, pictures and a column of the sheet for each, by the `names` of its styles.
    """

    def __init__(self, directory: Path, first_step: int, names: Sequence[str] = ("",)) -> None:
        from torch.utils.tensorboard import SummaryWriter

        directory.mkdir(parents=True, exist_ok=True)
        for part in directory.glob(f".*{atomic_file.PART}"):  # left by a run that was killed while it saved
            part.unlink()
        self.directory = directory
        self.names = names
        own = [f"{key}/{name}" for key in BY_PAINTING for name in names] if len(names) > 1 else []
        columns = [*COLUMNS, *own, *VALIDATION_COLUMNS, *(f"val_{name}" for name in own)]
        self.rows = [row for row in rows(directory) if row["step"] <= first_step] if first_step else []
        self.skipped = _skipped(directory) if first_step else set()
        path = directory / "metrics.csv"
        with atomic_file.atomic_write(path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        self._file = path.open("a", newline="")
        self._csv = csv.DictWriter(self._file, columns)
        self._events = SummaryWriter(str(directory), purge_step=first_step or None)

    def row(self, values: dict[str, float]) -> None:
        """Append a row to metrics.csv, and its values to TensorBoard."""
        self.rows.append(values)
        self._csv.writerow(values)
        self._file.flush()
        for name, value in values.items():
            if name not in ("step", "images"):
                group, label = ("val", name[4:]) if name.startswith("val_") else ("train", name)
                self._events.add_scalar(f"{group}/{label}", value, int(values["step"]))

    def sample(self, step: int, photos: NDArray[np.uint8], stylized: Sequence[NDArray[np.uint8]]) -> None:
        """Write the pictures to samples/step_N/, then their sheet to samples/step_N.png, and the curves so far."""
        sheet = self.directory / "samples" / f"step_{step:08d}.png"
        kinds = [f"stylized_{name}" if len(self.names) > 1 else "stylized" for name in self.names]
        for kind, pictures in zip(["photo", *kinds], [photos, *stylized], strict=True):
            for number, picture in enumerate(pictures):
                write(Picture(picture), sheet.with_suffix("") / f"{kind}_{number}.png", quality=92)
        rows = [list(row) for row in zip(photos, *stylized, strict=True)]
        pixels = contact_sheet.write_sheet(sheet, *self._with_paintings(rows, step, max(photos.shape[1:3])))
        self._events.add_image("photo, network, painting", pixels, step, dataformats="HWC")
        plots.write_curves(self.directory / "curves.png", self._losses(), self._losses("val_"))

    def _with_paintings(self, rows: list[Pictures], step: int, side: int) -> tuple[list[Pictures], list[str]]:
        """The rows and captions of a sheet: one painting beside the pictures, several above them."""
        paintings = [painting_of(self.directory, name) for name in self.names]
        shown = [
            contact_sheet.BLANK if painting is None else contact_sheet.thumbnail(painting, side)
            for painting in paintings
        ]
        if len(self.names) > 1:
            return [[contact_sheet.BLANK, *shown], *rows], [f"photo, step {step}", *self.names]
        captions = ["photo", f"network, step {step}"]
        if paintings[0] is None:
            return rows, captions
        beside = [[*row, contact_sheet.BLANK if number else shown[0]] for number, row in enumerate(rows)]
        return beside, [*captions, "painting"]

    def checkpoint(self, step: int, network: TransformNet | Store, card: Card) -> None:
        """Write the checkpoint of a step whose state is saved; retain the newest RETAINED of both.

        Those of later steps are deleted too: the run returned to an earlier state and takes other steps now.
        """
        path = checkpoint.path(self.directory, step)
        # Before the checkpoint, whose presence tells a resumed run that nothing is missing.
        self._export(LAST_MODEL, network, card)
        checkpoint.save(path, network, card)
        if isinstance(network, Store):
            checkpoint.save_styles(self.directory / "styles", network, card)
        for suffix in (checkpoint.SUFFIX, train_state.SUFFIX):
            saved = sorted(self.directory.glob(f"step_*{suffix}"))
            retained = [file for file in saved if file.stem <= path.stem][-RETAINED:]
            for old in set(saved) - set(retained):
                old.unlink(missing_ok=True)

    def best(self, network: TransformNet | Store, card: Card) -> None:
        """Write BEST_MODEL and BEST."""
        self._export(BEST_MODEL, network, card)
        checkpoint.save(self.directory / BEST, network, card)

    def skip(self, lines: Iterable[str]) -> None:
        """Add unreadable photos to skipped.txt, each once."""
        if new := set(lines) - self.skipped:
            self.skipped |= new
            with atomic_file.atomic_write(self.directory / "skipped.txt") as part:
                part.write_text("".join(f"{line}\n" for line in sorted(self.skipped)), "utf-8", "surrogateescape")

    def close(self) -> None:
        """Close metrics.csv and the TensorBoard events."""
        self._file.close()
        self._events.close()

    def _export(self, name: str, network: TransformNet | Store, card: Card) -> None:
        with atomic_file.atomic_write(self.directory / name) as part:
            onnx_writer.write(network, part, "uint8_rgba", Label.of(card))

    def _losses(self, prefix: str = "") -> list[dict[str, float]]:
        names = ("total", "content", "style")
        return [
            {"step": row["step"]} | {name: row[prefix + name] for name in names}
            for row in self.rows
            if f"{prefix}total" in row
        ]


def rows(directory: Path) -> list[dict[str, float]]:
    """The intact rows of a run's metrics.csv; none if the file does not exist."""
    path = directory / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", errors="replace") as file, suppress(csv.Error):  # a file of another kind
        return [row for values in csv.DictReader(file) if (row := _numbers(values))]
    return []


def save_paintings(directory: Path, paintings: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write the paintings [H, W, 3] that a run learns, by name, for its sheets."""
    for name, pixels in paintings.items():
        path = _painting_path(directory, name if len(paintings) > 1 else "")
        write(Picture(contact_sheet.thumbnail(pixels, _PAINTING_SIDE)), path, quality=92)


def painting_of(directory: Path, name: str = "") -> NDArray[np.uint8] | None:
    """A painting [H, W, 3] that a run learns, the only one without a name; None if the run has no picture of it."""
    try:
        return read(_painting_path(directory, name)).rgb
    except UnreadablePicture:
        return None


def _painting_path(directory: Path, name: str) -> Path:
    return directory / "samples" / (f"painting_{name}.png" if name else "painting.png")


def last_sample(directory: Path) -> tuple[Pictures, Pictures] | None:
    """Photos and stylized pictures [H, W, 3] of a run's last sample; None if it has no readable one.

    The pictures of a run of several paintings follow each other by painting.
    """
    sheet = max((directory / "samples").glob("step_*.png"), default=None)  # written after its pictures
    if sheet is None:
        return None
    photos, stylized = (
        sorted(sheet.with_suffix("").glob(f"{name}_*.png"), key=lambda path: (len(path.name), path.name))
        for name in ("photo", "stylized")
    )
    try:
        return [read(path).rgb for path in photos], [read(path).rgb for path in stylized]
    except UnreadablePicture:
        return None


def _skipped(directory: Path) -> set[str]:
    path = directory / "skipped.txt"
    return set(path.read_text("utf-8", "surrogateescape").splitlines()) if path.is_file() else set()


def _numbers(values: dict[str, str]) -> dict[str, float]:
    """A row of metrics.csv as numbers; empty if the row is truncated."""
    try:
        row = {key: float(value) for key, value in values.items() if value}
    except (TypeError, ValueError):
        return {}
    whole = {key: int(row[key]) for key in ("step", "images") if math.isfinite(row.get(key, math.nan))}
    return row | whole if "step" in whole else {}
