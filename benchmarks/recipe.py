"""The automatic recipe against the one before it, from random weights: the loss at 256 px on photos not trained on.

Before: Adam at a learning rate of 0.002, and crops of 128 px throughout. Now: SOAP, and crops of 128 px, then 256 px.
The loss is loss=johnson, computed in float32 on the center square of each photo at short side 256. Both runs take place
at the same time, each in its own process, so that other work on the machine slows both alike; the table has the
processor seconds of each.

Run: python -m benchmarks.recipe --photos DIR --val DIR --style FILE [--minutes 4] [--threads 1] [key=value ...]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality import SIZE, losses_on
from impasto.configs.cli import app
from impasto.models import checkpoint
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data import style_image
from impasto.train.data.dataset import PhotoSet, validation_crops

HOME = Path("outputs/recipe")
RECIPES = {
    "before": ("optimizer=adam", "optimizer.lr=0.002", "data.size=128", "data.scale_range=[1.0,2.25]"),
    "automatic": (),
}
RARELY = ("trainer.validate_every=1000000", "trainer.sample_every=1000000", "trainer.checkpoint_every=1000000")


def train(commands: dict[str, list[str]], threads: int) -> dict[str, float]:
    """Run all commands at the same time; the processor seconds of each, with its loader."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    processes = {name: subprocess.Popen(command, env=environment) for name, command in commands.items()}
    seconds = {}
    for name, process in processes.items():
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"the recipe {name} failed")
        seconds[name] = usage.ru_utime + usage.ru_stime
    return seconds


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photos", "val", "style"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("overrides", nargs="*", help="more settings of impasto-train, for both")
    options = parser.parse_args()
    common = [f"style={options.style}", f"data.root={options.photos}", f"trainer.minutes={options.minutes}"]
    common += ["init=null", "loss=johnson", "style.size=256", "data.workers=1", *RARELY, *options.overrides]
    shutil.rmtree(HOME, ignore_errors=True)
    script = str(Path(sys.executable).with_name("impasto-train"))
    commands = {
        name: [script, *common, *settings, f"hydra.run.dir={HOME / name}", f"data.cache={HOME / name}-photos"]
        for name, settings in RECIPES.items()
    }
    seconds = train(commands, options.threads)
    config = app.compose("train", common)
    loss = PerceptualLoss(config.loss, weights.load("auto"), style_image.load(config.style).pixels)
    photos, _, _ = validation_crops(PhotoSet(options.val, "--val"), SIZE)
    table = Table(
        *("recipe", "crops", "processor seconds", "loss, mean", "loss, median"),
        title=f"{options.style.stem}, {options.minutes:g} minutes, {len(photos)} photos at {SIZE} px",
    )
    means = {}
    for name in RECIPES:
        network, card = checkpoint.load(max((HOME / name).glob(f"step_*{checkpoint.SUFFIX}")))
        assert card.training is not None
        with torch.no_grad():
            totals = [losses.total.item() for losses in losses_on(network, loss, photos)[0]]
        means[name] = statistics.mean(totals)
        figures = f"{seconds[name]:.0f}", f"{means[name]:,.0f}", f"{statistics.median(totals):,.0f}"
        table.add_row(name, f"{card.training.images:,}", *figures)
    Console(width=100).print(table)
    print(f"ratio of the means: {means['automatic'] / means['before']:.3f}")


if __name__ == "__main__":
    main()
