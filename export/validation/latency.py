"""Latency and peak memory of files by image size and threads; each figure comes from its own process."""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.bench import BenchmarkConfig
from impasto.export import child_process
from impasto.export.litert.contracts import SUFFIX as LITERT_SUFFIX
from impasto.export.litert.contracts import signature
from impasto.export.test_images import Pixels, opaque, picture
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT
from impasto.models.ort_environment import import_onnxruntime
from impasto.models.ort_messages import reason
from impasto.models.typed_json import TypedJson

FORMAT: Final = "impasto-latency-1"


@dataclass(frozen=True)
class LatencyRow(TypedJson):
    """The figures of one file at one image size and number of threads."""

    file: str
    width: int
    height: int
    threads: int
    ms: float
    """The median time of a run, in milliseconds."""
    peak_mib: int | None
    """The peak memory of the process above what it had before it opened the file, in MiB; null where unknown."""


@dataclass(frozen=True)
class Latency(TypedJson):
    """The content of measured.json."""

    format: Literal["impasto-latency-1"]
    machine: str
    """The processor."""
    repeats: int
    """Each figure is the median of so many runs, after one warm-up run."""
    rows: list[LatencyRow]


def measure(
    folder: Path, names: Sequence[str], config: BenchmarkConfig, on_progress: Callable[[str], object]
) -> Latency:
    """Measure ONNX and LiteRT files.

    Files take turns, so that a slow moment of the machine affects all of them.

    Args:
        folder: The folder that the names are relative to.
        names: The files.
        config: Image sizes, numbers of threads, and repeats.
        on_progress: Receives a line on the current step.

    Raises:
        CheckFailed: A file does not run.
    """
    rows = []
    for height, width in config.shapes():
        for threads in config.threads:
            for name in names:
                on_progress(f"timing {name} at {width}x{height}, {threads} thread{'s'[: threads != 1]}")
                ms, peak_mib = _measure_in_child(folder / name, width, height, threads, config.repeats)
                rows.append(LatencyRow(name, width, height, threads, ms, peak_mib))
    return Latency(FORMAT, machine(), config.repeats, rows)


def machine() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _measure_in_child(path: Path, width: int, height: int, threads: int, repeats: int) -> tuple[float, int | None]:
    line = child_process.python_module(__name__, str(path), *map(str, (width, height, threads, repeats)))
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=child_process.environment())
    if done.returncode:
        why = reason(done.stderr) or f"exit code {done.returncode}"
        raise CheckFailed(f"{path.name} could not be timed at {width}x{height}: {why}")
    ms, peak_mib = json.loads(done.stdout)
    return ms, peak_mib


def peak_memory() -> float | None:
    """Return the peak memory of this process in MiB, or None where the system does not report it."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss includes the process before exec
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes


def _open_onnx(path: Path, image: Pixels, threads: int) -> Callable[[], object]:
    from impasto.models import onnx_model

    session = onnx_model.open_session(path, threads)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    feeds = {INPUT: opaque(image)[None] if session.get_inputs()[0].type == "tensor(uint8)" else planes}
    if len(session.get_inputs()) > 1:  # of a store, whose styles take equal time
        (count,) = session.get_inputs()[1].shape
        feeds[STYLES] = np.full(count, 1 / count, np.float32)
    return lambda: session.run([OUTPUT], feeds)


def _open_litert(path: Path, image: Pixels, threads: int) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    height, width, _ = image.shape
    runner = Interpreter(str(path), num_threads=threads).get_signature_runner(signature(height, width))
    feeds: dict[str, NDArray[Any]] = {INPUT: opaque(image)[None]}
    if STYLES in (details := runner.get_input_details()):
        shape = details[STYLES]["shape"]
        feeds[STYLES] = np.full(shape, 1 / shape[-1], np.float32)
    return lambda: runner(**feeds)


def _main(path: str, *numbers: str) -> None:
    """Measure in this process, and print [ms, peak_mib]."""
    is_litert = Path(path).suffix == LITERT_SUFFIX
    import_module("ai_edge_litert.interpreter") if is_litert else import_onnxruntime()  # its own memory does not count

    width, height, threads, repeats = map(int, numbers)
    image = picture(height, width)
    before = peak_memory()
    run = (_open_litert if is_litert else _open_onnx)(Path(path), image, threads)
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    after = peak_memory()
    peak_mib = None if before is None or after is None else round(after - before)
    print(  # noqa: T201 - the answer to the parent
        json.dumps([round(1000 * statistics.median(seconds[1:]), 1), peak_mib])
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
