"""Broken files through every entrance: python -m tests.fuzz.run --pictures 2000 --models 500 [--seed 1]."""

import argparse
import multiprocessing
import os
import resource
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

from PIL import Image
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from impasto.configs.errors import CheckError, RequestError
from impasto.models import zoo
from tests.fuzz import corpus, entrances
from tests.fuzz.corpus import Case
from tests.fuzz.entrances import Entrance

MEMORY = 2 << 30  # bytes that one file may make a process hold
SECONDS = 60  # of one processor, after which a file counts as a hang
WAIT = 900  # s for an answer: a hang that computes nothing, on a machine however busy
LONGEST = 1000  # letters of a sentence
ASSETS = Path(__file__).parents[1] / "assets"

KINDS = ("pictures", "zips", "checkpoints", "onnx")
Entrances = Callable[[Path], dict[str, Entrance]]


@dataclass
class Tally:
    """What came of the files: how many, how they ended at each entrance, and what must not be."""

    files: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    peak: int = 0


def through(kind: Entrances, cases: Iterator[Case], folder: Path, done_one: Callable[[], None]) -> Tally:
    """Put each file through each entrance of a kind, in a process that may die of it."""
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
            tally.wrong.append(f"{path.name} through {done[-1] if done else 'the start'}: {_death(process)}")
            process = None
        done_one()
    if process is not None and pipe is not None:
        pipe.send(None)
        process.join()
    return tally


def _start(kind: Entrances, folder: Path) -> tuple[BaseProcess, Connection]:
    pipe, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(kind, folder, other))
    process.start()
    other.close()
    return process, pipe


def _collect(pipe: Connection, path: Path, done: list[str], tally: Tally) -> bool:
    """Hear how a file ends at each entrance; False where the process dies or hangs at the last one of `done`."""
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
        tally.ends[f"{name}: {end}"] += 1
        tally.peak = max(tally.peak, peak)
        if end not in ("passes", "refused"):
            tally.wrong.append(f"{path.name} through {name}: {end}\n{detail}")
    return False


def _death(process: BaseProcess) -> str:
    if process.exitcode == -signal.SIGXCPU:
        return f"still at work after {SECONDS} s"
    if process.exitcode == -signal.SIGKILL:
        return "hangs, or was killed for want of memory"
    return f"ends the process ({process.exitcode})"


def _serve(kind: Entrances, folder: Path, pipe: Connection) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    made = kind(folder)
    resting = _held()
    while (asked := pipe.recv()) is not None:
        path, done = asked
        for name, entrance in made.items():
            if name in done:
                continue
            pipe.send((name, "begins", "", 0))
            used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS, hard))
            _reset_peak()
            end, detail = _try(entrance, path)
            peak = _held() - resting
            if peak > MEMORY:
                end, detail = f"holds {peak >> 20} MiB", detail
            pipe.send((name, end, detail, peak))
        pipe.send((None, "", "", 0))


def _try(entrance: Entrance, path: Path) -> tuple[str, str]:
    try:
        entrance(path)
    except (RequestError, CheckError) as error:
        said = str(error)
        fine = said.strip() and "\n" not in said and len(said) < LONGEST
        return ("refused", "") if fine else ("no sentence", said[:3000])
    except BaseException:
        return "traceback", traceback.format_exc()[-3000:]
    return "passes", ""


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the high-water mark of memory starts anew


def _held() -> int:
    """The most memory that this process held since _reset_peak, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def prepare(folder: Path) -> Path:
    """What the entrances need beside the file: a photo, and a model."""
    from tests.models import made_models

    folder.mkdir(parents=True, exist_ok=True)
    made_models.model(folder / "model.onnx")
    Image.effect_noise((48, 32), 60).convert("RGB").save(folder / "photo.jpg")
    return folder


def fuzz(
    folder: Path, pictures: int, models: int, seed: int, heavy: bool, kinds: Sequence[str] = KINDS
) -> dict[str, Tally]:
    """Every kind of broken file, `pictures` of them in all that are or hold pictures and `models` that are models."""
    prepare(folder)
    whole = (ASSETS / "swirls.safetensors").read_bytes()
    networks = [path.read_bytes() for path in (folder / "model.onnx", zoo.resolve("zoo/starry_night/tiny", ".onnx"))]
    counts = {"pictures": pictures * 9 // 10, "zips": pictures // 10, "checkpoints": models // 2}
    counts["onnx"] = models - counts["checkpoints"]
    jobs: dict[str, tuple[Entrances, Iterator[Case]]] = {
        "pictures": (entrances.of_pictures, corpus.pictures(counts["pictures"], seed, heavy)),
        "zips": (entrances.of_zips, corpus.zips(counts["zips"], seed, heavy)),
        "checkpoints": (entrances.of_checkpoints, corpus.checkpoints(counts["checkpoints"], seed, whole)),
        "onnx": (entrances.of_onnx_files, corpus.onnx_files(counts["onnx"], seed, *networks)),
    }
    made = {name: prepare(folder / name) for name in kinds}
    # Each kind has a process of its own, so that two cores halve the time.
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bars, ThreadPoolExecutor(os.cpu_count()) as threads:
        tasks = {name: bars.add_task(f"{name} (and some made by hand)", total=counts[name]) for name in kinds}
        waiting = {
            name: threads.submit(through, *jobs[name], made[name], partial(bars.advance, tasks[name])) for name in kinds
        }
        return {name: tally.result() for name, tally in waiting.items()}


def main() -> None:
    """Fuzz, and exit with 1 where anything ended otherwise than with a result or a sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=KINDS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = fuzz(Path(name), wanted.pictures, wanted.models, wanted.seed, heavy=True, kinds=wanted.kinds)
    for kind, tally in found.items():
        print(f"{kind}: {tally.files} files, at most {tally.peak >> 20} MiB, {len(tally.wrong)} wrong")
        for end, count in sorted(tally.ends.items()):
            print(f"  {end} {count}")
        for line in tally.wrong:
            print(f"  WRONG {line}")
    sys.exit(any(tally.wrong for tally in found.values()))


if __name__ == "__main__":
    main()
