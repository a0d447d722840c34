"""A run that is killed again and again, against one that was left alone: python -m tests.train.kill_nine --kills 20."""

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
from impasto.train import command, resume
from tests.conftest import TINY

SCRIPT = Path(sys.executable).with_name("impasto-train")


def start(run: Path, line: Sequence[str]) -> BaseProcess:
    """Start a run, or go on with it where it left what says how; what it says goes to a file beside it.

    The process is forked off one that has loaded torch already, which saves most of its start.
    """
    go_on = (run / ".hydra" / "overrides.yaml").is_file()
    words = [f"resume={run}"] if go_on else [*line, f"hydra.run.dir={run}"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["impasto.train.trainer", "torch.utils.tensorboard", "matplotlib.pyplot"])
    process = context.Process(target=_train, args=(words, said(run)))
    process.start()
    return process


def said(run: Path) -> Path:
    """Where what a run says goes."""
    return run.with_suffix(".said")


def _train(words: Sequence[str], said: Path) -> None:
    with said.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
        multiprocessing.set_start_method("fork", force=True)  # of its workers, as where nobody asks for another
        sys.argv = [str(SCRIPT), *words]
        command.main()


def kill_often(run: Path, line: Sequence[str], kills: int, seed: int, seconds: tuple[float, float]) -> list[str]:
    """Run to the end in spite of SIGKILL at random moments; the stem of the newest state at each.

    Odd kills fall within `seconds[1]` of the start, mostly before the program trains; even ones within `seconds[0]`
    of a new state, where it steps and saves.
    """
    dice, found = random.Random(seed), list[str]()
    while len(found) < kills:
        process, before = start(run, line), newest(run)
        if len(found) % 2:
            process.join(dice.uniform(0, seconds[1]))
        else:
            while newest(run) in (before, "none", "step_00000000") and process.is_alive():
                time.sleep(0.01)
            process.join(dice.uniform(0, seconds[0]))
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            raise SystemExit(f"ended by itself after {len(found)} kills: {said(run).read_text()}")
        found.append(newest(run))
    process = start(run, line)
    process.join()
    if process.exitcode:
        raise SystemExit(f"ended with {process.exitcode}: {said(run).read_text()}")
    return found


def newest(run: Path) -> str:
    """The stem of the newest state."""
    return next((state.stem for state in resume.states(run)), "none")


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs differ in: the name of a tensor, or of a part of the card."""
    files = [max(run.glob("step_*.safetensors")) for run in (one, other)]
    if files[0].name != files[1].name:
        return [f"{files[0].name} {files[1].name}"]
    weights = [load_file(file) for file in files]
    cards = [checkpoint.load(file)[1] for file in files]
    unlike = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    return unlike + [key for key in cards[0] if key != "training" and cards[0][key] != cards[1][key]]


def main() -> None:
    """Train once whole and once killed; exit code 1 where the two differ in a single bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seconds", type=float, default=2, help="how long after a new state every other kill may come")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dice = np.random.default_rng(0)
        (folder / "photos").mkdir()
        for number in range(40):
            small = Image.fromarray(dice.integers(0, 255, (5, 6, 3), np.uint8))
            small.resize((80, 60), Image.Resampling.BICUBIC).save(folder / "photos" / f"{number}.jpg")
        line = [*TINY, f"data.root={folder / 'photos'}", "data.workers=1", f"trainer.steps={wanted.steps}"]
        line += ["trainer.checkpoint_every=3", "trainer.validate_every=20", "trainer.sample_every=500"]
        whole = start(folder / "whole", line)  # beside the other one: on two cores both take the time of one
        found = kill_often(folder / "killed", line, wanted.kills, wanted.seed, (wanted.seconds, 10))
        whole.join()
        if whole.exitcode:
            raise SystemExit(said(folder / "whole").read_text())
        print(f"killed at: {' '.join(stem.removeprefix('step_').lstrip('0') or '0' for stem in found)}")
        unlike = differences(folder / "whole", folder / "killed")
    print(f"after {wanted.kills} kills: {', '.join(unlike) or 'the same weights and validation, bit for bit'}")
    sys.exit(bool(unlike))


if __name__ == "__main__":
    main()
