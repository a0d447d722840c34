"""impasto-stylize on folders of photos, with different parallelism, against a plain loop.

The methods are interleaved. Each is one or several processes; startup, decoding and encoding are included. Memory is
the sum of the peaks of all processes, and CPU time is that of all threads.

Run: python -m benchmarks.folder MODEL [FOLDER...] [--make 200 --megapixels 12 --from PHOTOS] [--photos N]
     [--rounds 3] [--methods plain default ...]
MODEL is a file or zoo/PAINTING. Without a folder, a folder of JPEGs is generated.
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
from benchmarks.large import Usage, in_subprocess, make_photo
from impasto.models import zoo
from impasto.models.image.discover import find_pictures

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
METHODS = {
    "plain": (1, f"whole images, plain loop, {CORES} threads", []),
    "default": (1, "impasto-stylize", []),
    "single": (1, f"one photo at a time, {CORES} threads", ["workers=1", f"threads={CORES}"]),
    "threads": (1, f"{CORES} photos at a time, 1 thread each", [f"workers={CORES}", "threads=1"]),
    "processes": (CORES, f"{CORES} processes of 1 thread", ["workers=1", "threads=1"]),
}
"""For each method the number of processes, its title, and its settings."""


def measure(model: str, photos: list[Path], method: str) -> Usage:
    """Stylize the photos; each process has an equal part."""
    processes, _, settings = METHODS[method]
    with tempfile.TemporaryDirectory() as name:
        commands = []
        for number in range(processes):
            share, output = Path(name, f"in{number}"), Path(name, f"out{number}")
            share.mkdir()
            for index, photo in enumerate(photos[number::processes]):
                (share / f"{index:05d}{photo.suffix}").symlink_to(photo.resolve())
            if method == "plain":
                file = str(zoo.resolve(model, ".onnx"))
                commands.append([sys.executable, plain.__file__, file, str(share), str(output)])
            else:
                script = str(Path(sys.executable).with_name("impasto-stylize"))
                line = [script, f"model={model}", f"input={share}", f"output={output}", "stroke_resolution=native"]
                commands.append([*line, *settings])
        return run(commands)


def run(commands: list[list[str]]) -> Usage:
    """Run commands concurrently until all have ended."""
    started = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    ended = [os.wait4(process.pid, 0) for process in running]
    seconds = time.perf_counter() - started
    if any(status for _, status, _ in ended):
        sys.exit(f"{Path(commands[0][0]).name} failed")
    usages = [usage for *_, usage in ended]
    return Usage(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        sum(usage.ru_maxrss / 1024 for usage in usages),
    )


def make(folder: Path, count: int, megapixels: float, sources: list[Path]) -> None:
    """Write JPEGs of that size: one enlarged from each source, and further links to these."""
    for number in range(count):
        target = folder / f"{number:05d}.jpg"
        if number < max(1, len(sources)):
            in_subprocess(make_photo, sources[number] if sources else None, megapixels, target)
        else:
            target.symlink_to(folder / f"{number % max(1, len(sources)):05d}.jpg")


def compare(model: str, folder: Path, limit: int | None, methods: list[str], rounds: int) -> None:
    """Measure one folder with each method, interleaved, and print a table."""
    photos = find_pictures(folder)[:limit]
    usages: dict[str, list[Usage]] = {method: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            usages[method].append(measure(model, photos, method))
    table = Table("method", title=f"{len(photos)} photos, {model}, {CORES} cores, medians of {rounds}")
    for column in ("photos/s", "against plain", "CPU s/photo", "peak memory, MiB"):
        table.add_column(column, justify="right")
    speeds = {name: len(photos) / statistics.median(one.seconds for one in runs) for name, runs in usages.items()}
    for method, runs in usages.items():
        ratio = f"{speeds[method] / speeds['plain']:.2f}" if "plain" in speeds else ""
        cpu = statistics.median(one.cpu for one in runs) / len(photos)
        row = [f"{speeds[method]:.2f}", ratio, f"{cpu:.2f}", f"{max(one.peak for one in runs):,.0f}"]
        table.add_row(METHODS[method][1], *row)
    Console(width=110).print(table)


def main() -> None:
    """Measure each folder with each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--make", type=int, default=200, help="number of photos to generate if no folder is named")
    parser.add_argument("--megapixels", type=float, default=12, help="size of each generated photo")
    parser.add_argument("--from", dest="sources", type=Path, help="a folder of photos to generate them from")
    parser.add_argument("--photos", type=int, help="number of photos of a folder to stylize; all by default")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not options.folders:
            count = min(options.make, options.photos or options.make)
            make(Path(name), count, options.megapixels, find_pictures(options.sources)[:8] if options.sources else [])
        for folder in options.folders or [Path(name)]:
            compare(options.model, folder, options.photos, options.methods, options.rounds)


if __name__ == "__main__":
    main()
