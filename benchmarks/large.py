"""Large photos in tiles against the same photos whole: time, peak memory and difference of impasto-stylize by size.

Each photo is made once: a given one enlarged, those of a folder pasted side by side at their own sharpness, or one of
our own. The ways to work on it take turns, each as a command of its own, decoding and encoding included; peak memory is
what the system says of that process. Of several photos and models there is one row a size and way.

Run: .venv/bin/python benchmarks/large.py MODEL... [--photos FILE DIR ...] [--megapixels 1 2 4 12 25 50] [--whole 4]
     [--ways whole exact thumbnail] [--sheets DIR]
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

WAYS = {
    "whole": ["tiles.above=1e6"],
    "exact": ["tiles.above=0"],
    "exact, no file": ["tiles.above=0", "tiles.scratch=0"],
    "thumbnail": ["tiles.above=0", "tiles.statistics=thumbnail"],
}
COMPARED = 4.0  # megapixels up to which results are compared, and so written as PNG


@dataclass(frozen=True)
class Took:
    """What a command took: seconds by the clock and of all processors, and the most memory in MiB."""

    seconds: float
    processor: float
    peak: float


def stylize(model: Path, photo: Path, output: Path, threads: int, settings: list[str]) -> Took:
    """Run impasto-stylize once."""
    program = Path(sys.executable).with_name("impasto-stylize")
    line = [str(program), f"model={model}", f"input={photo}", f"output={output}", f"threads={threads}", *settings]
    started = time.perf_counter()
    pid = os.posix_spawn(program, line, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"impasto-stylize ended with {os.waitstatus_to_exitcode(status)}")
    return Took(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def make_photo(source: Path | None, megapixels: float, target: Path) -> None:
    """Write a photo of that size, 4:3."""
    from PIL import Image

    from impasto.export.golden import picture

    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    size = width, round(megapixels * 1e6 / width)
    if source is not None and source.is_dir():
        image = pasted(source, size)
    else:
        image = Image.fromarray(picture(900, 1200)) if source is None else Image.open(source).convert("RGB")
        image = image.resize(size, Image.Resampling.BICUBIC)
    image.save(target, quality=92)


def pasted(folder: Path, size: tuple[int, int]) -> Any:
    """A picture of (width, height) with the photos of a folder side by side, again and again, at their own size."""
    from PIL import Image

    from impasto.models.pictures import find_pictures

    photos, made, top = cycle(find_pictures(folder)), Image.new("RGB", size), 0
    while top < size[1]:
        left, low = 0, size[1]
        while left < size[0]:
            photo = Image.open(next(photos)).convert("RGB")
            made.paste(photo, (left, top))
            left, low = left + photo.width, min(low, photo.height)
        top += low
    return made


def compare(one: Path, other: Path, sheet: Path | None) -> tuple[float, int]:
    """PSNR in dB and the largest difference; `sheet` shows the difference times 8, grey where there is none."""
    import numpy as np
    from PIL import Image

    with Image.open(one) as first, Image.open(other) as second:
        difference = np.asarray(first, np.int16) - np.asarray(second, np.int16)
    square = float((difference.astype(np.float32) ** 2).mean())
    if sheet is not None:
        Image.fromarray((128 + 8 * difference).clip(0, 255).astype(np.uint8)).save(sheet)
    return 10 * np.log10(255**2 / max(square, 1e-9)), int(np.abs(difference).max())


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own: a child starts with the peak memory of this one."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


@dataclass
class Row:
    """What one way took at one size, photo by photo: the fastest turn, the highest peak, and how near it came."""

    best: list[Took] = field(default_factory=list)
    peak: float = 0.0
    psnrs: list[float] = field(default_factory=list)
    largest: int = 0

    def cells(self, megapixels: float, way: str) -> list[str]:
        """For the table: medians over the photos."""
        seconds, processor = (
            median(values) for values in zip(*((t.seconds, t.processor) for t in self.best), strict=True)
        )
        row = [f"{megapixels:g}", way, f"{seconds:.1f}", f"{seconds / megapixels:.2f}", f"{processor / megapixels:.2f}"]
        row += [f"{self.peak:,.0f}"]
        return row + ([f"{min(self.psnrs):.1f}", f"{median(self.psnrs):.1f}", str(self.largest)] if self.psnrs else [])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, nargs="+", default=[None], help="files, or folders of photos to paste")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 4, 12, 25, 50])
    parser.add_argument("--whole", type=float, default=4, help="megapixels up to which photos are worked on whole, too")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--settings", nargs="*", default=[], help="of every run, such as tiles.thumbnail=1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="a folder for pictures of the differences, times 8")
    options = parser.parse_args()
    title = ", ".join("/".join(model.parts[-2:]) for model in options.models)
    table = Table(title=f"{title}: {len(options.photos)} photos, {options.threads} threads, best of {options.turns}")
    for column in (
        "MP",
        "way",
        "s",
        "s/MP",
        "processor s/MP",
        "peak MiB",
        "lowest dB to whole",
        "median",
        "largest of 255",
    ):
        table.add_column(column, justify="right")
    console = Console(width=120, stderr=True)
    with tempfile.TemporaryDirectory() as name:
        for megapixels in options.megapixels:
            ways = [way for way in options.ways if way != "whole" or megapixels <= options.whole]
            rows = {way: Row() for way in ways}
            for photo in options.photos:
                apart(make_photo, photo, megapixels, Path(name, "photo.jpg"))
                for model in options.models:
                    measure(options, model, photo, megapixels, Path(name), rows, console)
            for way, row in rows.items():
                table.add_row(*row.cells(megapixels, way))
    Console(width=120).print(table)


def measure(
    options: argparse.Namespace,
    model: Path,
    photo: Path | None,
    megapixels: float,
    folder: Path,
    rows: dict[str, Row],
    console: Console,
) -> None:
    """One photo with one model, every way in turns."""
    suffix = ".png" if megapixels <= COMPARED else ".jpg"
    took: dict[str, list[Took]] = {way: [] for way in rows}
    for _ in range(options.turns):
        for way in rows:
            output = folder / f"{way}{suffix}"
            settings = [*WAYS[way], *options.settings, "overwrite=true"]
            took[way].append(stylize(model, folder / "photo.jpg", output, options.threads, settings))
    told = [f"{megapixels:g} MP", model.parent.name, photo.stem if photo else "made"]
    for way, row in rows.items():
        row.best.append(min(took[way], key=lambda turn: turn.seconds))
        row.peak = max(row.peak, *(turn.peak for turn in took[way]))
        told.append(f"{way} {row.best[-1].seconds:.1f} s")
        if way != "whole" and "whole" in rows and suffix == ".png":
            sheet = options.sheets and options.sheets / f"{'_'.join(told[:3])}_{way}.png".replace(" ", "_")
            psnr, largest = apart(compare, *(folder / f"{one}{suffix}" for one in ("whole", way)), sheet)
            row.psnrs.append(psnr)
            row.largest = max(row.largest, largest)
            told[-1] += f" {psnr:.1f} dB"
    console.print("  ".join(told))


if __name__ == "__main__":
    main()
