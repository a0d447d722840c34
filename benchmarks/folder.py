"""Folders of photos: impasto-stylize in its ways against whole-image inference in a plain loop, taking turns.

Each way is a command of its own (or several), decoding and encoding included, and so is its start. Memory is the sum of
the peaks of its processes; seconds of processor are what all of its threads used.

Run: .venv/bin/python -m benchmarks.folder MODEL [FOLDER...] [--make 200 --megapixels 12 --from PHOTOS] [--photos N]
     [--turns 3] [--ways plain default ...]
MODEL is what impasto-stylize takes: a file or zoo/PAINTING. Without a folder, one of JPEGs is made.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import plain
from benchmarks.large import Took, apart, make_photo
from impasto.models import zoo
from impasto.models.pictures import find_pictures

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAYS = {
    "plain": (1, f"whole images, plain loop, {CORES} threads", []),
    "default": (1, "impasto-stylize", []),
    "single": (1, f"one photo at a time, {CORES} threads", ["workers=1", f"threads={CORES}"]),
    "threads": (1, f"{CORES} photos at a time, 1 thread each", [f"workers={CORES}", "threads=1"]),
    "processes": (CORES, f"{CORES} processes of 1 thread", ["workers=1", "threads=1"]),
}
"""Of each way the number of processes, what it is, and its settings."""


def measure(model: str, photos: list[Path], way: str) -> Took:
    """What the photos take, each process with its share."""
    processes, _, settings = WAYS[way]
    with tempfile.TemporaryDirectory() as name:
        commands = []
        for number in range(processes):
            share, output = Path(name, f"in{number}"), Path(name, f"out{number}")
            share.mkdir()
            for index, photo in enumerate(photos[number::processes]):
                (share / f"{index:05d}{photo.suffix}").symlink_to(photo.resolve())
            if way == "plain":
                file = str(zoo.resolve(model, ".onnx"))
                commands.append([sys.executable, plain.__file__, file, str(share), str(output)])
            else:
                script = str(Path(sys.executable).with_name("impasto-stylize"))
                commands.append([script, f"model={model}", f"input={share}", f"output={output}", *settings])
        return run(commands)


def run(commands: list[list[str]]) -> Took:
    """Run commands side by side, to the end of all."""
    started = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    ended = [os.wait4(process.pid, 0) for process in running]
    seconds = time.perf_counter() - started
    if any(status for _, status, _ in ended):
        sys.exit(f"{Path(commands[0][0]).name} failed")
    usages = [usage for *_, usage in ended]
    return Took(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        sum(usage.ru_maxrss / 1024 for usage in usages),
    )


def make(folder: Path, count: int, megapixels: float, sources: list[Path]) -> None:
    """Write JPEGs of that size: one made of each source, enlarged, the others copies of these."""
    for number in range(count):
        target = folder / f"{number:05d}.jpg"
        if number < max(1, len(sources)):
            apart(make_photo, sources[number] if sources else None, megapixels, target)
        else:
            target.symlink_to(folder / f"{number % max(1, len(sources)):05d}.jpg")


def compare(model: str, folder: Path, limit: int | None, ways: list[str], turns: int) -> None:
    """Measure one folder in each way, in turns, and print a table."""
    photos = find_pictures(folder)[:limit]
    found: dict[str, list[Took]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            found[way].append(measure(model, photos, way))
    table = Table("way", title=f"{len(photos)} photos, {model}, {CORES} cores, medians of {turns}")
    for column in ("photos/s", "against plain", "processor s/photo", "peak memory, MiB"):
        table.add_column(column, justify="right")
    speeds = {way: len(photos) / statistics.median(took.seconds for took in runs) for way, runs in found.items()}
    for way, runs in found.items():
        ratio = f"{speeds[way] / speeds['plain']:.2f}" if "plain" in speeds else ""
        processor = statistics.median(took.processor for took in runs) / len(photos)
        row = [f"{speeds[way]:.2f}", ratio, f"{processor:.2f}", f"{max(took.peak for took in runs):,.0f}"]
        table.add_row(WAYS[way][1], *row)
    Console(width=110).print(table)


def main() -> None:
    """Measure each folder in each way, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--make", type=int, default=200, help="how many photos to make where no folder is named")
    parser.add_argument("--megapixels", type=float, default=12, help="of each photo that is made")
    parser.add_argument("--from", dest="sources", type=Path, help="a folder of photos to make them of")
    parser.add_argument("--photos", type=int, help="how many of a folder to stylize, all unless told")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not options.folders:
            count = min(options.make, options.photos or options.make)
            make(Path(name), count, options.megapixels, find_pictures(options.sources)[:8] if options.sources else [])
        for folder in options.folders or [Path(name)]:
            compare(options.model, folder, options.photos, options.ways, options.turns)


if __name__ == "__main__":
    main()
