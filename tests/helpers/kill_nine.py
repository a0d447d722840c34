"""A run that is killed repeatedly against one that is not: python -m tests.helpers.kill_nine --kills 20."""

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from impasto.models import checkpoint
from impasto.train.commands import train
from impasto.train.engine import train_state
from tests.helpers import fork_server
from tests.helpers.commands import TINY

SCRIPT = Path(sys.executable).with_name("impasto-train")


def start(run: Path, line: Sequence[str]) -> BaseProcess:
    """Start a run, or resume it if it saved its settings; its output goes to a file beside it.

    The process is forked from one that has imported torch, which saves most of the start.
    """
    resumes = (run / ".hydra" / "overrides.yaml").is_file()
    words = [f"resume={run}"] if resumes else [*line, f"hydra.run.dir={run}"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["impasto.train.engine.trainer", *fork_server.PRELOADED])
    process = context.Process(target=_train, args=(words, log_file(run)))
    process.start()
    return process


def log_file(run: Path) -> Path:
    """The output of a run."""
    return run.with_suffix(".log")


def _train(words: Sequence[str], log: Path) -> None:
    with log.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
        multiprocessing.set_start_method("fork", force=True)  # for its loader workers, as by default on Linux
        sys.argv = [str(SCRIPT), *words]
        train.main()


def kill_often(run: Path, line: Sequence[str], kills: int, seed: int, seconds: tuple[float, float]) -> list[str]:
    """Run to the end in spite of SIGKILL at random moments; the stem of the newest state at each.

    Odd kills fall within `seconds[1]` of the start, mostly before the program trains; even ones within `seconds[0]`
    of a new state, where it steps and saves.
    """
    rng, stems = random.Random(seed), list[str]()
    while len(stems) < kills:
        process, before = start(run, line), newest(run)
        if len(stems) % 2:
            process.join(rng.uniform(0, seconds[1]))
        else:
            while newest(run) in (before, "none", "step_00000000") and process.is_alive():
                time.sleep(0.01)
            process.join(rng.uniform(0, seconds[0]))
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            raise SystemExit(f"ended on its own after {len(stems)} kills: {log_file(run).read_text()}")
        stems.append(newest(run))
    process = start(run, line)
    process.join()
    if process.exitcode:
        raise SystemExit(f"ended with {process.exitcode}: {log_file(run).read_text()}")
    return stems


def newest(run: Path) -> str:
    """The stem of the newest state."""
    return next((state.stem for state in train_state.states(run)), "none")


def differences(one: Path, other: Path) -> list[str]:
    """The tensors and the sections of the card in which two finished runs differ."""
    files = [max(run.glob("step_*.safetensors")) for run in (one, other)]
    if files[0].name != files[1].name:
        return [f"{files[0].name} {files[1].name}"]
    weights = [load_file(file) for file in files]
    cards = [checkpoint.load(file)[1].to_json() for file in files]
    different = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    return different + [key for key in cards[0] if key != "training" and cards[0][key] != cards[1][key]]


def main() -> None:
    """Train once whole and once killed; exit code 1 where the two differ in a single bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seconds", type=float, default=2, help="how long after a new state every other kill may come")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        (folder / "photos").mkdir()
        for number in range(40):
            small = Image.fromarray(rng.integers(0, 255, (5, 6, 3), np.uint8))
            small.resize((80, 60), Image.Resampling.BICUBIC).save(folder / "photos" / f"{number}.jpg")
        line = [*TINY, f"data.root={folder / 'photos'}", "data.workers=1", f"trainer.steps={options.steps}"]
        line += ["trainer.checkpoint_every=3", "trainer.validate_every=20", "trainer.sample_every=500"]
        whole = start(folder / "whole", line)  # beside the other one: on two cores both take the time of one
        stems = kill_often(folder / "killed", line, options.kills, options.seed, (options.seconds, 10))
        whole.join()
        if whole.exitcode:
            raise SystemExit(log_file(folder / "whole").read_text())
        print(f"killed at: {' '.join(stem.removeprefix('step_').lstrip('0') or '0' for stem in stems)}")
        different = differences(folder / "whole", folder / "killed")
    print(f"after {options.kills} kills: {', '.join(different) or 'the same weights and validation, bit for bit'}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
