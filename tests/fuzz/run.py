"""Pass broken files to all code that reads files: python -m tests.fuzz.run --pictures 2000 --models 500 [--seed 1]."""

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from PIL import Image
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from impasto.configs.errors import CheckFailed, UsageError
from impasto.models import zoo
from tests.fuzz import corpus, targets
from tests.fuzz.corpus import Case
from tests.fuzz.targets import Target
from tests.helpers import fork_server

MEMORY = 2 << 30  # bytes that one file may add to a process
SECONDS = 60  # of processor time, after which a file counts as a hang
WAIT = 900  # s for an answer: a hang that computes nothing, on a machine however busy
LONGEST = 1000  # characters of an error message
ASSETS = Path(__file__).parents[1] / "assets"

KINDS = ("pictures", "zips", "checkpoints", "onnx")
Targets = Callable[[Path], dict[str, Target]]


@dataclass
class Tally:
    """The results: the number of files, the outcomes of each target, failures, and the peak memory in bytes."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    peak: int = 0


def run_targets(kind: Targets, cases: Iterator[Case], folder: Path, done_one: Callable[[], None]) -> Tally:
    """Pass each file to each target of a kind, in a process that may crash."""
    tally = Tally()
    process: BaseProcess | None = None
    pipe: Connection | None = None
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for path in corpus.write(photos, cases):
        tally.files += 1
        done: list[str] = []
        while True:
            if process is None or pipe is None:
                process, pipe = _start(kind, folder)
            pipe.send((path, done))
            crashed = not _collect(pipe, path, done, tally)
            if not crashed:
                break
            process.kill()
            process.join()
            tally.failures.append(f"{path.name} through {done[-1] if done else 'the start'}: {_death(process)}")
            process = None
        done_one()
    if process is not None and pipe is not None:
        pipe.send(None)
        process.join()
    return tally


def _start(kind: Targets, folder: Path) -> tuple[BaseProcess, Connection]:
    pipe, other = multiprocessing.Pipe()
    if fork_server.AVAILABLE:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*fork_server.PRELOADED])  # importing torch is most of a start
        process: BaseProcess = context.Process(target=_serve, args=(kind, folder, other))
    else:
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(kind, folder, other))
    process.start()
    other.close()
    return process, pipe


def _collect(pipe: Connection, path: Path, done: list[str], tally: Tally) -> bool:
    """Receive the outcome of each target; return False if the process crashes or hangs in the last one of `done`."""
    while pipe.poll(WAIT):
        try:
            name, end, detail, peak = pipe.recv()
        except EOFError:
            return False
        if name is None:
            return True
        if end == "begins":
            done.append(name)
            continue
        tally.outcomes[f"{name}: {end}"] += 1
        tally.peak = max(tally.peak, peak)
        if end not in ("passes", "refused"):
            tally.failures.append(f"{path.name} through {name}: {end}\n{detail}")
    return False


def _death(process: BaseProcess) -> str:
    if sys.platform != "win32" and process.exitcode == -signal.SIGXCPU:
        return f"still running after {SECONDS} s"
    if sys.platform != "win32" and process.exitcode == -signal.SIGKILL:
        return "hangs, or was killed by the out-of-memory killer"
    return f"ends the process ({process.exitcode})"


def _serve(kind: Targets, folder: Path, pipe: Connection) -> None:
    torch.set_num_threads(1)
    targets = kind(folder)
    resting = _peak_memory()
    while (request := pipe.recv()) is not None:
        path, done = request
        for name, target in targets.items():
            if name in done:
                continue
            pipe.send((name, "begins", "", 0))
            _limit_time()
            start = resting if _reset_peak() else _peak_memory()
            end, detail = _try(target, path)
            peak = _peak_memory() - start
            if peak > MEMORY:
                end, detail = f"holds {peak >> 20} MiB", detail
            pipe.send((name, end, detail, peak))
        pipe.send((None, "", "", 0))


def _limit_time() -> None:
    """End this process after SECONDS more of processor time, where the system can."""
    if sys.platform != "win32":
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS, hard))


def _try(target: Target, path: Path) -> tuple[str, str]:
    try:
        target(path)
    except (UsageError, CheckFailed) as error:
        message = str(error)
        is_sentence = message.strip() and "\n" not in message and len(message) < LONGEST
        return ("refused", "") if is_sentence else ("no sentence", message[:3000])
    except BaseException:
        return "traceback", traceback.format_exc()[-3000:]
    return "passes", ""


def _reset_peak() -> bool:
    """Set the high-water mark of memory to what is in use; False where the system cannot."""
    if sys.platform != "linux":
        return False
    Path("/proc/self/clear_refs").write_text("5")  # proc(5)
    return True


def _peak_memory() -> int:
    """The most memory in bytes that this process held, on Linux since _reset_peak; 0 where unknown."""
    if sys.platform == "win32":
        return 0
    if sys.platform != "linux":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def prepare(folder: Path) -> Path:
    """Write what the targets need beside the file: a photo and a model."""
    from tests.helpers import onnx_models

    folder.mkdir(parents=True, exist_ok=True)
    onnx_models.model(folder / "model.onnx")
    Image.effect_noise((48, 32), 60).convert("RGB").save(folder / "photo.jpg")
    return folder


def fuzz(
    folder: Path, pictures: int, models: int, seed: int, heavy: bool, kinds: Sequence[str] = KINDS
) -> dict[str, Tally]:
    """Run all kinds of broken files: `pictures` pictures and zips, and `models` checkpoints and ONNX files."""
    prepare(folder)
    trained = (ASSETS / "swirls.safetensors").read_bytes()
    networks = [path.read_bytes() for path in (folder / "model.onnx", zoo.resolve("zoo/starry_night/tiny", ".onnx"))]
    counts = {"pictures": pictures * 9 // 10, "zips": pictures // 10, "checkpoints": models // 2}
    counts["onnx"] = models - counts["checkpoints"]
    jobs: dict[str, tuple[Targets, Iterator[Case]]] = {
        "pictures": (targets.of_pictures, corpus.pictures(counts["pictures"], seed, heavy)),
        "zips": (targets.of_zips, corpus.zips(counts["zips"], seed, heavy)),
        "checkpoints": (targets.of_checkpoints, corpus.checkpoints(counts["checkpoints"], seed, trained)),
        "onnx": (targets.of_onnx_files, corpus.onnx_files(counts["onnx"], seed, *networks)),
    }
    folders = {name: prepare(folder / name) for name in kinds}
    # One process per kind.
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bars, ThreadPoolExecutor(os.cpu_count()) as threads:
        tasks = {name: bars.add_task(f"{name} (and handmade ones)", total=counts[name]) for name in kinds}
        futures = {
            name: threads.submit(run_targets, *jobs[name], folders[name], partial(bars.advance, tasks[name]))
            for name in kinds
        }
        return {name: future.result() for name, future in futures.items()}


def main() -> None:
    """Fuzz; exit with code 1 if a file caused anything but a result or an error of one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=KINDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tallies = fuzz(Path(name), options.pictures, options.models, options.seed, heavy=True, kinds=options.kinds)
    for kind, tally in tallies.items():
        print(f"{kind}: {tally.files} files, at most {tally.peak >> 20} MiB, {len(tally.failures)} failures")
        for end, count in sorted(tally.outcomes.items()):
            print(f"  {end} {count}")
        for line in tally.failures:
            print(f"  FAILED {line}")
    sys.exit(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    main()
