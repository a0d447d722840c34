"""impasto-stylize on large photos, in tiles and whole: time, peak memory and difference by size.

A photo is an enlarged file, a folder's photos pasted side by side at full resolution, or synthetic. The methods are
interleaved. Each run is a separate process that includes decoding and encoding; its peak memory is what the system
reports. The table has one row for each size and method, over all photos and models.

Run: python -m benchmarks.large MODEL... [--photos FILE DIR ...] [--megapixels 1 2 4 12 25 50] [--whole 4]
     [--methods whole exact thumbnail] [--sheets DIR]
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

METHODS = {
    "whole": ["tiles.threshold_mp=1e6"],
    "exact": ["tiles.threshold_mp=0"],
    "exact, no file": ["tiles.threshold_mp=0", "tiles.scratch_mb=0"],
    "thumbnail": ["tiles.threshold_mp=0", "tiles.statistics=thumbnail"],
}
MAX_COMPARED = 4.0  # megapixels; up to this size results are written as PNG and compared


@dataclass(frozen=True)
class Usage:
    """Resources of a command: wall-clock seconds, CPU seconds, peak memory in MiB."""

    seconds: float
    cpu: float
    peak: float


def stylize(model: Path, photo: Path, output: Path, threads: int, settings: list[str]) -> Usage:
    """Run impasto-stylize once."""
    program = Path(sys.executable).with_name("impasto-stylize")
    line = [str(program), f"model={model}", f"input={photo}", f"output={output}", f"threads={threads}", *settings]
    started = time.perf_counter()
    pid = os.posix_spawn(program, line, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"impasto-stylize ended with {os.waitstatus_to_exitcode(status)}")
    return Usage(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def make_photo(source: Path | None, megapixels: float, target: Path) -> None:
    """Write a 4:3 photo of that size."""
    from PIL import Image

    from impasto.export.test_images import picture

    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    size = width, round(megapixels * 1e6 / width)
    if source is not None and source.is_dir():
        image = pasted(source, size)
    else:
        image = Image.fromarray(picture(900, 1200)) if source is None else Image.open(source).convert("RGB")
        image = image.resize(size, Image.Resampling.BICUBIC)
    image.save(target, quality=92)


def pasted(folder: Path, size: tuple[int, int]) -> Any:
    """Tile a picture of (width, height) with the photos of a folder, repeated, at full resolution."""
    from PIL import Image

    from impasto.models.image.discover import find_pictures

    photos, output, top = cycle(find_pictures(folder)), Image.new("RGB", size), 0
    while top < size[1]:
        left, row_height = 0, size[1]
        while left < size[0]:
            photo = Image.open(next(photos)).convert("RGB")
            output.paste(photo, (left, top))
            left, row_height = left + photo.width, min(row_height, photo.height)
        top += row_height
    return output


def compare(one: Path, other: Path, sheet: Path | None) -> tuple[float, int]:
    """Return PSNR in dB and the largest difference; write the difference times 8 to `sheet`, on gray."""
    import numpy as np
    from PIL import Image

    with Image.open(one) as first, Image.open(other) as second:
        difference = np.asarray(first, np.int16) - np.asarray(second, np.int16)
    square = float((difference.astype(np.float32) ** 2).mean())
    if sheet is not None:
        Image.fromarray((128 + 8 * difference).clip(0, 255).astype(np.uint8)).save(sheet)
    return 10 * np.log10(255**2 / max(square, 1e-9)), int(np.abs(difference).max())


def in_subprocess(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a subprocess, since commands inherit the peak memory of this process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


@dataclass
class Row:
    """Results of a method at a size: the fastest round of each photo, the highest peak, and the differences."""

    best: list[Usage] = field(default_factory=list)
    peak: float = 0.0
    psnrs: list[float] = field(default_factory=list)
    largest: int = 0

    def cells(self, megapixels: float, method: str) -> list[str]:
        """Return the table's cells: medians over the photos."""
        seconds, cpu = (median(values) for values in zip(*((u.seconds, u.cpu) for u in self.best), strict=True))
        row = [f"{megapixels:g}", method, f"{seconds:.1f}", f"{seconds / megapixels:.2f}", f"{cpu / megapixels:.2f}"]
        row += [f"{self.peak:,.0f}"]
        return row + ([f"{min(self.psnrs):.1f}", f"{median(self.psnrs):.1f}", str(self.largest)] if self.psnrs else [])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, nargs="+", default=[None], help="files, or folders of photos to paste")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 4, 12, 25, 50])
    parser.add_argument("--whole", type=float, default=4, help="megapixels up to which photos are also stylized whole")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--settings", nargs="*", default=[], help="settings of every run, such as tiles.thumbnail_mp=1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="a folder for pictures of the differences times 8")
    options = parser.parse_args()
    title = ", ".join("/".join(model.parts[-2:]) for model in options.models)
    table = Table(title=f"{title}: {len(options.photos)} photos, {options.threads} threads, best of {options.rounds}")
    for column in (
        "MP",
        "method",
        "s",
        "s/MP",
        "CPU s/MP",
        "peak MiB",
        "lowest dB to whole",
        "median dB",
        "largest of 255",
    ):
        table.add_column(column, justify="right")
    console = Console(width=120, stderr=True)
    with tempfile.TemporaryDirectory() as name:
        for megapixels in options.megapixels:
            methods = [name for name in options.methods if name != "whole" or megapixels <= options.whole]
            rows = {name: Row() for name in methods}
            for photo in options.photos:
                in_subprocess(make_photo, photo, megapixels, Path(name, "photo.jpg"))
                for model in options.models:
                    measure(options, model, photo, megapixels, Path(name), rows, console)
            for method, row in rows.items():
                table.add_row(*row.cells(megapixels, method))
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
    """Measure one photo with one model; the methods are interleaved."""
    suffix = ".png" if megapixels <= MAX_COMPARED else ".jpg"
    usages: dict[str, list[Usage]] = {method: [] for method in rows}
    for _ in range(options.rounds):
        for method in rows:
            output = folder / f"{method}{suffix}"
            settings = [*METHODS[method], *options.settings, "stroke_resolution=native", "overwrite=true"]
            usages[method].append(stylize(model, folder / "photo.jpg", output, options.threads, settings))
    log = [f"{megapixels:g} MP", model.parent.name, photo.stem if photo else "synthetic"]
    for method, row in rows.items():
        row.best.append(min(usages[method], key=lambda usage: usage.seconds))
        row.peak = max(row.peak, *(usage.peak for usage in usages[method]))
        log.append(f"{method} {row.best[-1].seconds:.1f} s")
        if method != "whole" and "whole" in rows and suffix == ".png":
            sheet = options.sheets and options.sheets / f"{'_'.join(log[:3])}_{method}.png".replace(" ", "_")
            psnr, largest = in_subprocess(compare, *(folder / f"{one}{suffix}" for one in ("whole", method)), sheet)
            row.psnrs.append(psnr)
            row.largest = max(row.largest, largest)
            log[-1] += f" {psnr:.1f} dB"
    console.print("  ".join(log))


if __name__ == "__main__":
    main()
