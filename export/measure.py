"""Time and memory of an exported ONNX file by size and threads, each measured in a process of its own."""

import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impasto.configs.errors import CheckError
from impasto.configs.shipping import MeasureConfig
from impasto.export.golden import picture
from impasto.export.label import INPUT, OUTPUT
from impasto.models import exported

Row = dict[str, Any]
"""Keys: file, width, height, threads, ms, peak_mib."""


def measure(folder: Path, names: Sequence[str], config: MeasureConfig, say: Callable[[str], None]) -> dict[str, Any]:
    """Time the files `names` of a bundle's folder: the machine, and a row for each file, size and number of threads.

    `ms` is the median of `measure.repeats` runs after a first one. `peak_mib` is what the process took at most, in MiB,
    over what it had before it opened the file. Files take turns, so that they compare. Raises CheckError.
    """
    rows = []
    for height, width in config.shapes():
        for threads in config.threads:
            for name in names:
                say(f"timing {name} at {width}x{height}, {threads} thread{'s'[: threads != 1]}")
                figures = _child(folder / name, width, height, threads, config.repeats)
                rows.append({"file": name, "width": width, "height": height, "threads": threads} | figures)
    return {"machine": machine(), "repeats": config.repeats, "rows": rows}


def machine() -> str:
    """The processor, as the system names it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _child(path: Path, width: int, height: int, threads: int, repeats: int) -> Row:
    line = [sys.executable, "-m", __name__, str(path), *map(str, (width, height, threads, repeats))]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CheckError(f"{path.name} could not be timed at {width}x{height}: {reason[:200]}")
    figures: Row = json.loads(done.stdout)
    return figures


def peak() -> float:
    """The most memory that this process had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands ru_maxrss on from the process before exec
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes


def _main(path: str, *numbers: str) -> None:
    width, height, threads, repeats = map(int, numbers)
    image = picture(height, width)
    rgba = np.dstack([image, np.full((height, width), 255, np.uint8)])[None]
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    before = peak()
    session = exported.open_session(Path(path), threads)
    feeds = {INPUT: rgba if session.get_inputs()[0].type == "tensor(uint8)" else planes}
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        session.run([OUTPUT], feeds)
        seconds.append(time.perf_counter() - started)
    ms = round(1000 * statistics.median(seconds[1:]), 1)
    print(json.dumps({"ms": ms, "peak_mib": round(peak() - before)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
