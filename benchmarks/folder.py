"""Folders of photos through impasto-stylize: one at a time, several threads, several processes, taking turns.

`python benchmarks/folder.py MODEL PHOTOS...`: a model that impasto-stylize takes, and folders of photos, each a table
of its own. Photos per second include the start of the command; memory is the sum of the peaks of its processes.
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

from impasto.models.pictures import find_pictures

CORES = os.cpu_count() or 1
WAYS = {
    f"one photo at a time, {CORES} threads": (1, ["workers=1", f"threads={CORES}"]),
    f"{CORES} photos at a time, 1 thread each": (1, [f"workers={CORES}", "threads=1"]),
    f"{CORES} processes of 1 thread": (CORES, ["workers=1", "threads=1"]),
}


def measure(model: Path, photos: list[Path], processes: int, settings: list[str]) -> tuple[float, int]:
    """Seconds that the photos take, and the peak memory in MiB, each process with its share."""
    with tempfile.TemporaryDirectory() as name:
        shares = [Path(name, f"in{number}") for number in range(processes)]
        for number, share in enumerate(shares):
            share.mkdir()
            for index, photo in enumerate(photos[number::processes]):
                (share / f"{index}{photo.suffix}").symlink_to(photo.resolve())
        script = str(Path(sys.executable).with_name("impasto-stylize"))
        started = time.monotonic()
        running = [
            subprocess.Popen(
                [script, f"model={model}", f"input={share}", f"output={name}/out{number}", *settings],
                stdout=subprocess.DEVNULL,
            )
            for number, share in enumerate(shares)
        ]
        ended = [os.wait4(process.pid, 0) for process in running]
        seconds = time.monotonic() - started
        if any(status for _, status, _ in ended):
            sys.exit("impasto-stylize failed")
        return seconds, sum(usage.ru_maxrss for *_, usage in ended) >> 10


def main() -> None:
    """Measure each folder in each way, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    for folder in options.folders:
        photos = find_pictures(folder)
        found: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
        for _ in range(options.turns):
            for way, (processes, settings) in WAYS.items():
                found[way].append(measure(options.model, photos, processes, settings))
        table = Table("way", "photos/s", "peak memory, MiB", title=f"{len(photos)} photos in {folder}")
        for way, runs in found.items():
            speed = len(photos) / statistics.median(seconds for seconds, _ in runs)
            table.add_row(way, f"{speed:.2f}", f"{max(memory for _, memory in runs):,}")
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
