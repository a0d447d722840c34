"""LiteRT against ONNX Runtime on the CPU: the same network, in one process, in turns.

Both run on one thread. Each round runs ONNX Runtime between two runs of LiteRT, and the ratio of a round compares it
with their mean; the median of the ratios is above 1 where LiteRT is faster. The time of the processor is shown beside
that of the clock, since other programs disturb it less.

Run: python -m benchmarks.litert [zoo/starry_night zoo/starry_night/tiny ...] [--sizes 256 512] [--rounds 15]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from impasto.export import fp16_rescale
from impasto.export.litert import writer
from impasto.export.litert.contracts import signature
from impasto.export.test_images import opaque, picture
from impasto.models import checkpoint, onnx_model, onnx_writer, zoo
from impasto.models.contract import INPUT, OUTPUT, Label

THREADS = 1
CLOCKS: dict[str, Callable[[], float]] = {"clock": time.perf_counter, "processor": time.thread_time}


def runners(network: str, side: int, folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Write a network in both formats; what runs LiteRT, and what runs ONNX Runtime, on a picture of this size."""
    from ai_edge_litert.interpreter import Interpreter

    source, model = network.rpartition("/")[::2] if network.count("/") > 1 else (network, None)
    loaded, card = checkpoint.load(zoo.resolve(source, checkpoint.SUFFIX, model))
    safe = fp16_rescale.fp16_safe(loaded, fp16_rescale.calibration_images())
    writer.write(safe, folder / "model.tflite", [(side, side)], Label.of(card))
    onnx_writer.write(loaded, folder / "model.onnx", "uint8_rgba", Label.of(card))
    runner = Interpreter(str(folder / "model.tflite"), num_threads=THREADS).get_signature_runner(signature(side, side))
    session = onnx_model.open_session(folder / "model.onnx", THREADS)
    feeds = {INPUT: opaque(picture(side, side))[None]}
    return lambda: runner(**feeds), lambda: session.run([OUTPUT], feeds)


def measure(litert: Callable[[], object], ort: Callable[[], object], rounds: int) -> dict[str, tuple[float, ...]]:
    """By clock: the median of the seconds of LiteRT, of ONNX Runtime, and of the ratios."""
    litert(), ort()  # warm-up
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CLOCKS}
    for _ in track(range(rounds), "measuring", console=Console(stderr=True), transient=True):
        marks = [[clock() for clock in CLOCKS.values()]]
        for run in (litert, ort, litert):
            run()
            marks.append([clock() for clock in CLOCKS.values()])
        for name, readings in zip(CLOCKS, zip(*marks, strict=True), strict=True):
            first, between, last = (after - before for before, after in pairwise(readings))
            own = (first + last) / 2
            times[name].append((own, between, between / own))
    return {name: tuple(map(statistics.median, zip(*rows, strict=True))) for name, rows in times.items()}


def main() -> None:
    """Print a row for each network and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["zoo/starry_night", "zoo/starry_night/tiny"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    table = Table("network", "size", "time of the", "LiteRT, ms", "ONNX Runtime, ms", "ratio")
    for network in options.networks:
        for side in options.sizes:
            with tempfile.TemporaryDirectory() as folder:
                results = measure(*runners(network, side, Path(folder)), options.rounds)
            for name, (own, other, ratio) in results.items():
                table.add_row(network, str(side), name, f"{1000 * own:.1f}", f"{1000 * other:.1f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
