"""Training throughput and peak memory: impasto against the plain loop of most examples, interleaved in one run.

The plain loop uses float32, NCHW, all of VGG-16 (13 convolutions, torchvision's module) on both pictures, autograd's
instance norm, and Adam. Both loops train the same network from the same weights on the same random pixels, each in its
own process. They alternate in rounds, and medians over the rounds are compared. impasto's step includes its
checkerboard loss and its divergence statistics. FLOP/s count convolutions and matrix products; their peak is the
fastest of these that the device reached in the same run and type. `--profile` times the parts of impasto's step, with a
synchronization after each, and with `--photos` the loader too.

Run: python -m benchmarks.throughput [--models johnson mobile] [--batches 4 8 16] [--device cuda] [--profile]
"""

import argparse
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import chip
from benchmarks.loops import STEPS, Ours, Plain
from impasto.configs.cli import app
from impasto.train.runtime import device as hardware

IMAGES = 160_000  # 40,000 steps of 4: Johnson et al. 2016


@dataclass(frozen=True)
class Job:
    """What a process trains."""

    loop: str
    model: str
    size: int
    batch: int
    device: str
    compile: str
    photos: str | None


def work(job: Job, pipe: Connection) -> None:
    """Answer requests: a turn's seconds and the peak memory in MiB, FLOP of a step, the peak FLOP/s, a step's parts."""
    line = [
        "loss=johnson",
        "optimizer=adam",
        f"model={job.model}",
        f"data.size={job.size}",
        f"device={job.device}",
        f"trainer.compile={job.compile}",
    ]
    config = app.compose("train", [*line, f"data.root={job.photos or '.'}"])
    torch.manual_seed(0)
    style, pixels = (torch.randint(0, 256, (n, 3, job.size, job.size)).float() for n in (1, job.batch))
    loop = (Ours if job.loop == "impasto" else Plain)(config, pixels, style)
    chosen = hardware.choose(job.device, "auto" if job.loop == "impasto" else "fp32")
    for _ in range(3 if chosen.device.type == "cuda" else 1):  # a graph is recorded in the second
        loop.step()

    def turn() -> tuple[float, float]:
        chip.wait(chosen.device)
        started = time.perf_counter()
        for _ in range(STEPS):
            loop.step()
        chip.wait(chosen.device)
        return time.perf_counter() - started, peak_memory(chosen.device)

    def operations() -> int:
        if isinstance(loop, Ours):  # the counter does not see a compiled step
            plain = app.compose("train", [*line[:5], "data.root=.", "trainer.compile=never"])
            return chip.operations(Ours(plain, pixels, style).step)
        return chip.operations(loop.step)

    answers: dict[str, Callable[[], Any]] = {
        "turn": turn,
        "operations": operations,
        "peak": lambda: chip.peak(chosen.device, chosen.dtype),
        "parts": getattr(loop, "parts", dict),
    }
    while request := pipe.recv():
        pipe.send(answers[request]())


def peak_memory(device: torch.device) -> float:
    """The peak memory of the process in MiB, on the device; NaN on a CPU under Windows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        import resource
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@contextmanager
def process(job: Job) -> Iterator[Callable[[str], Any]]:
    """Run a job in its own process; the function that sends it requests."""
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(job, theirs))
    worker.start()
    theirs.close()  # so that the end of the worker is noticed

    def request(request: str) -> Any:
        ours.send(request)
        return ours.recv()

    try:
        yield request
        ours.send("")
    finally:
        worker.join()


@dataclass
class Measured:
    """One loop with one network and one batch: images/s by turn, MiB, FLOP of an image, FLOP/s at most, parts."""

    speeds: list[float]
    memory: float
    operations: float
    peak: float
    parts: dict[str, float]


def measure(model: str, batch: int, options: argparse.Namespace) -> dict[str, Measured]:
    """Both loops, in alternation."""
    rest = (options.size, batch, options.device, options.compile, options.photos)
    results = {}
    with ExitStack() as stack:
        requests = {loop: stack.enter_context(process(Job(loop, model, *rest))) for loop in ("plain", "impasto")}
        for loop, request in requests.items():
            results[loop] = Measured([], 0, request("operations") / batch, request("peak"), {})
        for _ in range(options.rounds + 1):
            for loop, request in requests.items():
                seconds, results[loop].memory = request("turn")
                results[loop].speeds.append(STEPS * batch / seconds)
        if options.profile:
            results["impasto"].parts = requests["impasto"]("parts")
    for measured in results.values():
        del measured.speeds[0]
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["johnson", "mobile"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batches", type=int, nargs="+", default=[4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", choices=["auto", "always", "never"], default="auto")
    parser.add_argument("--profile", action="store_true", help="where the time of impasto's steps goes")
    parser.add_argument("--photos", help="a folder or zip of photos, for --profile to load")
    options = parser.parse_args()
    chosen = hardware.choose(options.device, "auto")
    name = torch.cuda.get_device_name() if chosen.device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    console = Console(width=125)
    for model in options.models:
        by_batch = {batch: measure(model, batch, options) for batch in track(options.batches, model, transient=True)}
        console.print(_table(f"{model}, {options.size} px, {name}, {str(chosen.dtype)[6:]} against float32", by_batch))
        best = {
            loop: max(statistics.median(results[loop].speeds) for results in by_batch.values())
            for loop in ("plain", "impasto")
        }
        console.print(f"best batch against best batch: {best['impasto'] / best['plain']:.2f}")
        for batch, results in by_batch.items() if options.profile else ():
            console.print(_shares(batch, results["impasto"].parts))


def _table(title: str, by_batch: dict[int, dict[str, Measured]]) -> Table:
    table = Table(title=title)
    for heading in ("batch", "loop", "images/s", "range", "ratio", "GFLOP/image", "TFLOP/s", "of peak", "memory"):
        table.add_column(heading, justify="left" if heading == "loop" else "right")
    table.add_column(f"seconds for {IMAGES:,} images", justify="right")
    for batch, results in by_batch.items():
        for loop, one in results.items():
            speed = statistics.median(one.speeds)
            ratios = [a / b for a, b in zip(one.speeds, results["plain"].speeds, strict=True)]
            achieved = speed * one.operations
            table.add_row(
                *(str(batch), loop, f"{speed:.2f}", f"{min(one.speeds):.2f}-{max(one.speeds):.2f}"),
                *(f"{statistics.median(ratios):.2f}", f"{one.operations / 1e9:.1f}", f"{achieved / 1e12:.3f}"),
                *(f"{achieved / one.peak:.0%} of {one.peak / 1e12:.2f}", f"{one.memory:,.0f} MiB"),
                f"{IMAGES / speed:,.0f}",
            )
    return table


def _shares(batch: int, parts: dict[str, float]) -> Table:
    table = Table("part of a step", "ms", "share", title=f"impasto, batch {batch}")
    for name, seconds in parts.items():
        table.add_row(name, f"{1000 * seconds / STEPS:.1f}", f"{seconds / sum(parts.values()):.1%}")
    return table


if __name__ == "__main__":
    main()
