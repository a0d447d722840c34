"""What came of a sweep: all of its jobs in one table and on one contact sheet."""

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from PIL import Image

from impasto.configs import overrides, sweeps
from impasto.configs.errors import RequestError
from impasto.configs.sweeps import Note
from impasto.models import checkpoint, files
from impasto.train import records, sheets

SHEET, TABLE = "sheet.png", "sweep.csv"
LOSSES = ("total", "content", "style")
COLUMNS = ("job", "folder", "overrides", "steps", "images", "seconds", *LOSSES, "checkpoint", "failure")
SIDE = 256  # px, at most, of a picture on the sheet

Pictures = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Outcome:
    """A job: what it alone was given, its last figures, if any, its newest checkpoint, and why it failed or is open."""

    note: Note
    given: str
    figures: Mapping[str, float]
    checkpoint: Path | None
    failure: str
    sample: tuple[Pictures, Pictures] | None

    def row(self, sweep: Path) -> dict[str, str | int | float]:
        """By COLUMNS; the losses are those of the held-out photos, the checkpoint's path is relative to the sweep."""
        figures = self.figures
        row: dict[str, str | int | float] = {"job": self.note.job, "folder": self.note.folder, "overrides": self.given}
        row |= {"steps": int(figures["step"]), "images": int(figures["images"])} if figures else {}
        row |= {name: figures[name] for name in ("seconds", *LOSSES) if name in figures}
        row["checkpoint"] = str(self.checkpoint.relative_to(sweep)) if self.checkpoint else ""
        return row | {"failure": self.failure}


def show(sweep: Path) -> None:
    """Write TABLE and SHEET into the folder of a sweep and print the table; RequestError if it is not one."""
    notes = sweeps.read(sweep)
    if not notes:
        raise RequestError(f"sweep={sweep} is no folder of a sweep of impasto-train; name its hydra.sweep.dir")
    given = differences([note.overrides for note in notes])
    outcomes = [_outcome(sweep, note, text) for note, text in zip(notes, given, strict=True)]
    with files.aside(sweep / TABLE) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(outcome.row(sweep) for outcome in outcomes)
    _print(sweep, outcomes)
    if any(outcome.sample for outcome in outcomes):
        _write_sheet(sweep / SHEET, outcomes)


def differences(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Of each job's overrides, those that are not the same in all jobs, as a user would write them."""
    values = [_values(lines) for lines in jobs]
    keys = list(dict.fromkeys(key for each in values for key in each))
    unlike = [key for key in keys if len({each.get(key) for each in values}) > 1]
    return [" ".join(f"{key}={each[key]}" for key in unlike if key in each) for each in values]


def _values(lines: Sequence[str]) -> dict[str, str]:
    values = {}
    for line in lines:
        override = overrides.parse(line)
        value = override.value()
        if isinstance(value, dict):  # a picture given as the style
            value = value.get("name", value.get("image", value))
        values[override.key_or_group] = "null" if value is None else str(value)
    return values


def _outcome(sweep: Path, note: Note, given: str) -> Outcome:
    run = sweep / note.folder
    rows = records.rows(run)
    names = ("step", "images", "seconds")
    figures: dict[str, float] = {name: row[name] for row in rows for name in names if name in row}
    figures |= {name: row[f"val_{name}"] for row in rows for name in LOSSES if f"val_{name}" in row}
    newest = max(run.glob(f"step_*{checkpoint.SUFFIX}"), default=None)
    failure = note.said
    if note.code is None:
        failure = "its end is not noted: it waits, runs, or was killed"
    elif newest is not None and newest.stat().st_mtime > sweeps.noted_at(sweep, note):
        failure = ""  # it was gone on with
    settings = run / ".hydra" / "config.yaml"
    sample = records.last_sample(run, OmegaConf.load(settings).data.val_size) if settings.is_file() else None
    return Outcome(note, given, figures if "step" in figures else {}, newest, failure, sample)


def _print(sweep: Path, outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(outcomes)} jobs, losses on held-out photos: {sweep}", title_style="")
    for name in COLUMNS:
        left = name in ("overrides", "checkpoint", "failure")
        if name != "folder":
            table.add_column(name, justify="left" if left else "right", overflow="fold")
    for outcome in outcomes:
        row = outcome.row(sweep)
        cells = [row.get(name, "") for name in COLUMNS if name != "folder"]
        table.add_row(*(f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(table)


def _write_sheet(path: Path, outcomes: Sequence[Outcome]) -> None:
    """A row for each job, and one of photos wherever they are others than those above."""
    rows: list[Pictures] = []
    captions: list[str] = []
    shown: Pictures = []
    for outcome in outcomes:
        photos, pictures = outcome.sample or ([], [])
        if photos and not _same(photos, shown):
            rows.append(photos)
            captions.append("held-out photos")
            shown = photos
        rows.append(pictures)
        captions.append(_caption(outcome))
    columns = max(len(row) for row in rows)
    nothing = np.full((1, 1, 3), 255, np.uint8)
    filled = [[_small(picture) for picture in row] + [nothing] * (columns - len(row)) for row in rows]
    sheets.write_sheet(path, filled, [""] * columns, captions)


def _caption(outcome: Outcome) -> str:
    text = f"{outcome.note.job}  {outcome.given}"
    if "total" in outcome.figures:
        text += f"  step {outcome.figures['step']:.0f}, loss {outcome.figures['total']:.4g}"
    return text + (f"  {outcome.failure[:80]}" if outcome.failure else "")


def _same(one: Pictures, other: Pictures) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if max(picture.shape) <= SIDE:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image)
