"""The quality after a few minutes of training: the loss at 256 px on photos that were not trained on.

The network is trained from random weights. The loss is loss=johnson (VGG-16, content relu2_2 with weight 1, style
weight 5), computed in float32 on the center square of each photo at short side 256.

Run: python -m benchmarks.quality --photos DIR --val DIR --style FILE [--minutes 4] [key=value ...]
"""

import argparse
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from impasto.configs.cli import app
from impasto.models import checkpoint
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.transform_net import TransformNet
from impasto.models.vgg import weights
from impasto.train.data import style_image
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops
from impasto.train.runtime import contact_sheet
from impasto.train.runtime.device import choose

SIZE = 256
HOME = Path("outputs/quality")


@torch.no_grad()
def losses_on(
    network: TransformNet, loss: PerceptualLoss, photos: torch.Tensor
) -> tuple[list[Losses], list[torch.Tensor]]:
    """Return the losses on each of the photos uint8 [N, H, W, 3], and the network's outputs."""
    rows, stylized = [], []
    for photo in photos.split(1):
        pixels = to_pixels(photo, torch.device("cpu"))
        stylized.append(network(pixels))
        rows.append(loss(stylized[-1], loss.content_target(pixels)))
    return rows, stylized


def main() -> None:
    """Train, measure, print, and write a contact sheet into the run directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photos", "val", "style"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--run", type=Path, help=f"the run directory; by default {HOME}, which is emptied first")
    parser.add_argument("overrides", nargs="*", help="more settings of impasto-train")
    options = parser.parse_args()
    overrides = [
        *("init=null", "loss=johnson", "style.size=256", f"model={options.model}", f"style={options.style}"),
        f"data.root={options.photos}",
        *(f"trainer.minutes={options.minutes}", *options.overrides),
    ]
    if options.run is None:
        options.run = HOME
        shutil.rmtree(HOME, ignore_errors=True)
    train = Path(sys.executable).with_name("impasto-train")
    subprocess.run([train, *overrides, f"hydra.run.dir={options.run}"], check=True)
    newest = max(options.run.glob(f"*{checkpoint.SUFFIX}"))
    network, card = checkpoint.load(newest)
    config = app.compose("train", overrides)
    loss = PerceptualLoss(config.loss, weights.load("auto"), style_image.load(config.style).pixels)
    photos, _, _ = validation_crops(PhotoSet(options.val, "--val"), SIZE)
    rows, pictures = losses_on(network, loss, photos)
    assert card.training is not None
    title = f"{options.model}, {options.minutes:g} min, {card.training.images:,} images, {card.training.precision}"
    table = Table(
        f"{len(photos)} photos at {SIZE} px", "median", "mean", title=f"{title}, {choose('auto', 'auto').device}"
    )
    for name in ("total", "content", "style"):
        values = [getattr(row, name).item() for row in rows]
        table.add_row(f"{name} loss", f"{statistics.median(values):,.0f}", f"{statistics.mean(values):,.0f}")
    Console(width=100).print(table)
    columns = list(zip(photos.numpy(), contact_sheet.to_bytes(torch.cat(pictures)), strict=True))
    contact_sheet.write_sheet(options.run / "val.png", columns[:8], ("photo", "network"))
    print(f"pictures: {options.run / 'val.png'}; checkpoint: {newest}")


if __name__ == "__main__":
    main()
