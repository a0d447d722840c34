"""Large photos in tiles against the same photos whole: time, peak memory and difference of impasto-stylize by size.

Each photo is made once, from a given one or from one of our own, enlarged. The ways to work on it take turns, each as a
command of its own, decoding and encoding included; peak memory is what the system says of that process.

Run: .venv/bin/python benchmarks/large.py MODEL [--photo FILE] [--megapixels 1 2 4 12 25 50] [--whole 4] [--sheets DIR]
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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

    image = Image.fromarray(picture(900, 1200)) if source is None else Image.open(source).convert("RGB")
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    image.resize((width, round(megapixels * 1e6 / width)), Image.Resampling.BICUBIC).save(target, quality=92)


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 4, 12, 25, 50])
    parser.add_argument("--whole", type=float, default=4, help="megapixels up to which photos are worked on whole, too")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="a folder for pictures of the differences, times 8")
    options = parser.parse_args()
    table = Table(title=f"{options.model.name}, {options.threads} threads, the best of {options.turns}")
    for column in ("MP", "way", "s", "s/MP", "processor s/MP", "peak MiB", "PSNR to whole", "largest of 255"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        for megapixels in options.megapixels:
            photo, suffix = Path(name, "photo.jpg"), ".png" if megapixels <= COMPARED else ".jpg"
            apart(make_photo, options.photo, megapixels, photo)
            ways = [way for way in options.ways if way != "whole" or megapixels <= options.whole]
            took: dict[str, list[Took]] = {way: [] for way in ways}
            for _ in range(options.turns):
                for way in ways:
                    output = Path(name, f"{way}{suffix}")
                    took[way].append(stylize(options.model, photo, output, options.threads, WAYS[way]))
                    output.rename(output.with_stem(f"{way} last"))
            for way, turns in took.items():
                best = min(turns, key=lambda turn: turn.seconds)
                row = [f"{megapixels:g}", way, f"{best.seconds:.1f}", f"{best.seconds / megapixels:.2f}"]
                row += [f"{best.processor / megapixels:.2f}", f"{max(turn.peak for turn in turns):,.0f}"]
                if way != "whole" and "whole" in ways and suffix == ".png":
                    last = [Path(name, f"{one} last{suffix}") for one in ("whole", way)]
                    sheet = options.sheets and options.sheets / f"{megapixels:g}_{way.replace(', ', '_')}.png"
                    psnr, largest = apart(compare, *last, sheet)
                    row += [f"{psnr:.1f} dB", str(largest)]
                table.add_row(*row)
                Console(width=120, stderr=True).print("  ".join(row))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
