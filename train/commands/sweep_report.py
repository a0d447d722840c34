"""The results of a sweep: all of its jobs in one table and on one contact sheet."""

import csv
import logging
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs import atomic_file
from impasto.configs.cli import overrides, runs
from impasto.configs.cli.runs import JobStatus
from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import shown
from impasto.configs.schema.style import slug
from impasto.configs.terminal import printable
from impasto.models import checkpoint
from impasto.train.engine import run_logger
from impasto.train.runtime import contact_sheet

SHEET, TABLE = "sheet.png", "sweep.csv"
LOSSES = ("total", "content", "style")
RAW = ("raw_content", "raw_style")  # divided by their weights, so that jobs with other weights compare
COLUMNS = ("job", "folder", "overrides", "steps", "images", "seconds", *LOSSES, *RAW, "checkpoint", "failure")
BUDGETS = 1.1  # jobs whose numbers of images differ by a larger factor have other budgets
SIDE = 256  # px, at most, of a picture on the sheet

Pictures = list[NDArray[np.uint8]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A job: the overrides it does not share, its last metrics, its newest checkpoint, and why it failed.

    Attributes:
        weights: The weights of the content and of the style loss, as trained.
    """

    status: JobStatus
    overrides: str
    metrics: Mapping[str, float]
    checkpoint: Path | None
    failure: str
    weights: Mapping[str, float]
    sample: tuple[Pictures, Pictures] | None
    painting: NDArray[np.uint8] | None

    def row(self, folder: Path) -> dict[str, str | int | float]:
        """By COLUMNS; the losses are those of the validation photos, the checkpoint's path is relative to the sweep."""
        metrics, status = self.metrics, self.status
        row: dict[str, str | int | float] = {"job": status.job, "folder": status.folder, "overrides": self.overrides}
        row |= {"steps": int(metrics["step"]), "images": int(metrics["images"])} if metrics else {}
        row |= {name: metrics[name] for name in ("seconds", *LOSSES) if name in metrics}
        row |= {f"raw_{name}": metrics[name] / weight for name, weight in self.weights.items() if name in metrics}
        row["checkpoint"] = str(self.checkpoint.relative_to(folder)) if self.checkpoint else ""
        return row | {"failure": self.failure}


def show(folder: Path) -> None:
    """Write TABLE and SHEET into the directory of a sweep and print the table; UsageError if it is not one."""
    jobs = runs.statuses(folder)
    if not jobs:
        raise UsageError(f"sweep={folder} is not the directory of a sweep of impasto-train; give its hydra.sweep.dir")
    unlike = differences([status.overrides for status in jobs])
    outcomes = [_outcome(folder, status, text) for status, text in zip(jobs, unlike, strict=True)]
    with atomic_file.atomic_write(folder / TABLE) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(outcome.row(folder) for outcome in outcomes)
    _print(folder, outcomes)
    if sentence := unequal_budgets([outcome.metrics["images"] for outcome in outcomes if outcome.metrics]):
        logger.warning("%s", sentence)
    if any(outcome.sample for outcome in outcomes):
        _write_sheet(folder / SHEET, outcomes)


def differences(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Of each job's overrides, those that are not the same in all jobs, as a user would write them."""
    values = [_values(lines) for lines in jobs]
    _tell_styles_apart(values)
    keys = list(dict.fromkeys(key for each in values for key in each))
    unlike = [key for key in keys if len({each.get(key) for each in values}) > 1]
    return [" ".join(f"{key}={each[key]}" for key in unlike if key in each) for each in values]


def _tell_styles_apart(jobs: Sequence[dict[str, str]]) -> None:
    """Replace the images of `style.image` by their names as `style`, by their paths where two have the same name."""
    images = {each["style.image"] for each in jobs if "style.image" in each}
    names = Counter(slug(image) for image in images)
    for each in jobs:
        if image := each.pop("style.image", ""):  # the user gave it as the style
            name = slug(image)
            each["style"] = name if names[name] == 1 else image


def _values(lines: Sequence[str]) -> dict[str, str]:
    values = {}
    for line in lines:
        override = overrides.parse(line)
        values[override.key_or_group] = shown(override.value())
    return values


def _outcome(folder: Path, status: JobStatus, unlike: str) -> Outcome:
    run = folder / status.folder
    rows = run_logger.rows(run)
    names = ("step", "images", "seconds")
    finite = [{name: value for name, value in row.items() if math.isfinite(value)} for row in rows]
    metrics: dict[str, float] = {name: row[name] for row in finite for name in names if name in row}
    metrics |= {name: row[f"val_{name}"] for row in rows for name in LOSSES if f"val_{name}" in row}
    newest = max(run.glob(f"step_*{checkpoint.SUFFIX}"), default=None)
    failure = status.message
    if status.code is None:
        failure = "it has not ended: it waits, runs, or was killed"
    elif newest is not None and newest.stat().st_mtime > runs.status_path(folder, status.job).stat().st_mtime:
        failure = ""  # it was resumed
    metrics = metrics if {*names} <= metrics.keys() else {}
    pictures = run_logger.last_sample(run), run_logger.painting_of(run)
    return Outcome(status, unlike, metrics, newest, failure, _weights(newest), *pictures)


def _weights(newest: Path | None) -> dict[str, float]:
    """The weights, other than 0, of the content and of the style loss that a checkpoint was trained with."""
    try:
        card = checkpoint.load_any(newest)[1] if newest else None
    except UsageError:  # damaged
        card = None
    if card is None or card.loss is None:
        return {}
    weights = {"content": card.loss.content_weight, "style": card.loss.style_weight}
    return {name: weight for name, weight in weights.items() if weight}


def unequal_budgets(images: Sequence[float]) -> str:
    """A sentence where jobs were trained on unequal numbers of images, so that their losses do not compare."""
    if not images or max(images) <= BUDGETS * min(images):
        return ""
    return (
        f"the jobs were trained on {min(images):.0f} to {max(images):.0f} images, so their losses do not compare; give "
        "all the same trainer.steps, or rank jobs of equal images only"
    )


def _print(folder: Path, outcomes: Sequence[Outcome]) -> None:
    from impasto.models.console import Console, Table

    table = Table(title=f"{len(outcomes)} jobs, losses on validation photos: {printable(str(folder))}", title_style="")
    for name in COLUMNS:
        left = name in ("overrides", "checkpoint", "failure")
        if name != "folder":
            table.add_column(name, justify="left" if left else "right", overflow="fold")
    for outcome in outcomes:
        row = outcome.row(folder)
        cells = [row.get(name, "") for name in COLUMNS if name != "folder"]
        table.add_row(*(f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _write_sheet(path: Path, outcomes: Sequence[Outcome]) -> None:
    """A row for each job, its painting first, and one of photos wherever they differ from those above."""
    rows: list[Pictures] = []
    captions: list[str] = []
    shown: Pictures = []
    for outcome in outcomes:
        photos, pictures = outcome.sample or ([], [])
        if photos and not _same(photos, shown):
            rows.append([contact_sheet.BLANK, *photos])
            captions.append("validation photos")
            shown = photos
        rows.append([contact_sheet.BLANK if outcome.painting is None else outcome.painting, *pictures])
        captions.append(_caption(outcome))
    columns = max(len(row) for row in rows)
    filled = [
        [contact_sheet.thumbnail(picture, SIDE) for picture in row] + [contact_sheet.BLANK] * (columns - len(row))
        for row in rows
    ]
    contact_sheet.write_sheet(path, filled, [""] * columns, captions)


def _caption(outcome: Outcome) -> str:
    text = f"{outcome.status.job}  {outcome.overrides}"
    if "total" in outcome.metrics:
        text += f"  step {outcome.metrics['step']:.0f}, loss {outcome.metrics['total']:.4g}"
    return text + (f"  {outcome.failure[:80]}" if outcome.failure else "")


def _same(one: Pictures, other: Pictures) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
