"""One knob for any painting: the optimizer on one photo, a row for each painting, a column for each strength.

Prints the raw style_weight that each strength stands for and how strong each picture came out: `style`, the part of the
photo's style loss that is left; `content`, the content loss as a part of the photo's feature energy; `likeness`, the
correlation of the picture's content features with the photo's. At the end the spread of each over the paintings, most
by least: 1 for a perfect knob. `--raw` are style_weights to give to every painting alike, in place of strengths.

Run: python benchmarks/strength.py --content PHOTO --styles DIR --output SHEET.jpg [--strengths 0.5 1 2] [--raw 5]
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from impasto.configs import app
from impasto.configs.schema import OptimizeConfig
from impasto.models import pictures, strength, vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.train import sheets
from impasto.train.hardware import choose, keep_memory
from impasto.train.optimizer import optimize
from impasto.train.sources import Sources

MEASURES = ("style", "content", "likeness")


@dataclass(frozen=True)
class Outcome:
    """One picture [H, W, 3], the raw weight it was made with, and the MEASURES of it."""

    picture: NDArray[np.uint8]
    style_weight: float
    measures: tuple[float, float, float]


def paint(config: OptimizeConfig, weights: vgg_weights.Weights, raw: float | None) -> Outcome:
    """Optimise the photo, with the strength of `config` or with a raw weight."""
    given, place = Sources(config), choose("auto", config.precision)
    photo = given.content(config.size)
    loss = PerceptualLoss(config.loss, weights, given.paintings(config.size)).to(memory_format=torch.channels_last)
    weight = strength.style_weight(loss, [photo], config.tile) if raw is None else raw
    loss.config = replace(config.loss, style_weight=weight)
    loss = loss.to(place.device).to_precision(place.dtype)
    target = loss.content_target(photo.to(place.device))
    done = optimize(loss, target, photo.to(place.device), config.optimizer, config.iterations)
    return Outcome(given.picture(done.pixels).rgb, weight, measure(loss, photo.to(place.device), target, done.pixels))


@torch.no_grad()
def measure(loss: PerceptualLoss, photo: Tensor, target: Tensor, pixels: Tensor) -> tuple[float, float, float]:
    """The MEASURES of a picture [1, 3, H, W]."""
    features = loss.content_target(pixels)
    style = loss(pixels, target).style / loss(photo, target).style
    content = loss.content(features, target) / strength.energy(loss, target)
    one, other = (values - values.mean((2, 3), keepdim=True) for values in (features, target))
    likeness = (one * other).sum() / (one.norm() * other.norm())
    return style.item(), content.item(), likeness.item()


def main() -> None:
    """Optimise each painting at each strength, print, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("content", "styles", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--raw", type=float, nargs="+")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("overrides", nargs="*", help="further settings of impasto-optimize, as in loss=gatys2016")
    options = parser.parse_args()
    keep_memory()
    weights = vgg_weights.load("auto")
    knobs, unit = (options.raw, "style_weight") if options.raw else (options.strengths, "strength")
    base = [
        *(f"content={options.content}", f"size={options.size}", f"style.size={options.size}"),
        *(f"iterations={options.iterations}", "optimizer.tolerance=0", *options.overrides),
    ]
    table = Table("painting", unit, "raw style_weight", *MEASURES, title=f"{options.size} px")
    rows, found = [], []
    for path in pictures.find_pictures(options.styles)[: options.count]:
        done = []
        for knob in knobs:
            config = app.compose("optimize", [*base, f"style={path}", f"loss.strength={knob}"])
            done.append(paint(config, weights, knob if options.raw else None))
            values = [f"{value:.3f}" for value in done[-1].measures]
            table.add_row(path.stem, f"{knob:g}", f"{done[-1].style_weight:.4g}", *values)
        height = done[0].picture.shape[0]
        painting = pictures.read(path).rgb
        width = round(height * painting.shape[1] / painting.shape[0])
        rows.append([pictures.resize(painting, (height, width)), *(outcome.picture for outcome in done)])
        found.append([outcome.measures for outcome in done])
    sheets.write_sheet(options.output, rows, ("painting", *(f"{unit} {knob:g}" for knob in knobs)))
    for index, knob in enumerate(knobs):
        column = np.array([measures[index] for measures in found])
        spread = [f"{most / least:.2f}" for most, least in zip(column.max(0), column.min(0), strict=True)]
        table.add_row("most by least", f"{knob:g}", "", *spread)
    Console(width=110).print(table)
    print(options.output)


if __name__ == "__main__":
    main()
