"""A soak test: memory, file handles, processes and threads of a long impasto-train must not grow. Linux only.

The resources of the run and its children are summed at even intervals from /proc: private memory, where shared pages
count once (Pss_Anon), and pages of files, which the system can reclaim (Pss_File: libraries, and the photos of
data.cache). The first third of the run, in which buffers and caches fill, does not count. A straight line is fitted to
the rest by least squares. The exit code is 1 if its slope exceeds a limit.

Run: python -m benchmarks.soak [--minutes 60] [--every 5] [--output DIR] key=value ... (settings of impasto-train)
"""

import argparse
import csv
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from impasto.models.image.encode import write
from impasto.models.image.picture import Picture

PROC = Path("/proc")
WARMUP = 1 / 3  # of the time, which does not count
LIMITS = {"MiB": 50.0, "handles": 2.0, "processes": 0.5, "threads": 2.0}  # growth per hour
FILES = "MiB of files"

Row = dict[str, float]


def processes(pid: int) -> list[Path]:
    """The /proc folders of a process and its descendants."""
    family, parents = [pid], {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return [PROC / str(one) for one in family]


def sample(pid: int) -> Row:
    """The resources of a process and its descendants now."""
    row = dict.fromkeys((*LIMITS, FILES), 0.0)
    for process in processes(pid):
        try:
            lines = [line.split() for line in (process / "smaps_rollup").read_text().splitlines()[1:]]
            kib = {line[0]: int(line[1]) for line in lines}
            row["MiB"] += (kib["Pss_Anon:"] + kib["Pss_Shmem:"]) / 1024
            row[FILES] += kib["Pss_File:"] / 1024
            row["handles"] += len([*(process / "fd").iterdir()])
            row["threads"] += len([*(process / "task").iterdir()])
            row["processes"] += 1
        except (OSError, KeyError):  # it has ended
            continue
    return row


def images(run: Path) -> int:
    """The number of training images so far, from metrics.csv."""
    path = run / "metrics.csv"
    if not path.exists():
        return 0
    with path.open(newline="") as file:
        return max((int(row["images"]) for row in csv.DictReader(file) if row["images"]), default=0)


def watch(run: Path, minutes: float, every: float, settings: list[str]) -> list[Row]:
    """Run impasto-train and sample it."""
    command = [str(Path(sys.executable).with_name("impasto-train")), f"hydra.run.dir={run}", *settings]
    command += ["trainer.steps=null", f"trainer.minutes={minutes}"]
    rows: list[Row] = []
    run.mkdir(parents=True)
    with (run / "terminal.txt").open("w") as terminal, Progress() as progress:
        process = subprocess.Popen(command, stdout=terminal, stderr=terminal)
        started, task = time.monotonic(), progress.add_task("training", total=60 * minutes)
        while process.poll() is None:
            time.sleep(every)
            seconds = time.monotonic() - started
            row = {"seconds": round(seconds, 1), "images": float(images(run))} | sample(process.pid)
            if row["processes"]:
                rows.append(row)
                progress.update(
                    task, completed=seconds, description=f"{row['images']:,.0f} images, {row['MiB']:,.0f} MiB"
                )
    if process.returncode:
        sys.exit(f"impasto-train exited with {process.returncode}; see {run / 'terminal.txt'}")
    return rows[:-1]  # the run may have been ending at the last sample


def slope(rows: list[Row], name: str) -> float:
    """The growth per hour, by least squares."""
    hours = [row["seconds"] / 3600 for row in rows]
    return float(np.polyfit(hours, [row[name] for row in rows], 1)[0])


def plot(rows: list[Row], path: Path) -> None:
    """Plot each resource over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    for axes, name in zip(figure.subplots(len(LIMITS), sharex=True), LIMITS, strict=True):
        axes.plot([row["seconds"] / 60 for row in rows], [row[name] for row in rows], linewidth=1)
        axes.set(ylabel=name, ylim=(0, None))
    axes.set(xlabel="minutes")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)


def main() -> None:
    """Train, sample, and compare the growth with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples")
    parser.add_argument("--output", type=Path, default=Path("outputs/soak"))
    parser.add_argument("settings", nargs="*", help="of impasto-train")
    options = parser.parse_args()
    if not (PROC / "self" / "smaps_rollup").exists():
        sys.exit("soak reads /proc/PID/smaps_rollup, which this system does not have; run it on Linux")
    rows = watch(options.output, options.minutes, options.every, options.settings)
    with (options.output / "soak.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, options.output / "soak.png")
    counted = [row for row in rows if row["seconds"] > WARMUP * rows[-1]["seconds"]]
    table = Table(title=f"{rows[-1]['seconds'] / 60:.0f} minutes, {rows[-1]['images']:,.0f} images")
    for column in ("", "at a third", "at two thirds", "at the end", "lowest-highest", "growth per hour", "limit"):
        table.add_column(column, justify="right")
    grown = []
    for name, limit in (LIMITS | {FILES: float("inf")}).items():
        values, added = [row[name] for row in counted], slope(counted, name)
        at = [statistics.median(values[start : start + 5]) for start in (0, len(values) // 2, max(0, len(values) - 5))]
        cells = [*(f"{value:,.0f}" for value in at), f"{min(values):,.0f}-{max(values):,.0f}"]
        table.add_row(name, *cells, f"{added:+.1f}", f"{limit:g}")
        grown += [name] if added > limit else []
    Console(width=110).print(table)
    if grown:
        sys.exit(f"grew beyond the limit: {', '.join(grown)}")


if __name__ == "__main__":
    main()
