"""loss.style_strength across paintings: the optimizer on one photo, a row per painting, a column per strength.

Prints the style_weight calibrated from each strength, and three measures of each result: `style`, its style loss
relative to the photo's; `content`, its content loss relative to the photo's feature energy; and `likeness`, the
correlation of its content features with the photo's. The last rows give the spread of each measure over the paintings,
maximum over minimum; a perfect calibration would have 1. With `--raw` every painting gets the same style_weights
instead of the same strengths.

Run: python -m benchmarks.strength --content PHOTO --styles DIR --output SHEET.jpg [--strengths 0.5 1 2] [--raw 5]
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

from impasto.configs.cli import app
from impasto.configs.schema.optimize import OptimizeConfig
from impasto.models.image import decode
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import resize
from impasto.models.losses import style_strength
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.train.image_optimization.inputs import OptimizationInputs
from impasto.train.image_optimization.optimizer import optimize
from impasto.train.runtime import contact_sheet
from impasto.train.runtime.device import choose, keep_memory

MEASURES = ("style", "content", "likeness")


@dataclass(frozen=True)
class Outcome:
    """A result uint8 [H, W, 3], its style_weight, and its MEASURES."""

    picture: NDArray[np.uint8]
    style_weight: float
    measures: tuple[float, float, float]


def stylize(config: OptimizeConfig, weights: Weights, raw: float | None) -> Outcome:
    """Optimize the photo, with the style_strength of `config` or with a raw style_weight."""
    inputs, hardware = OptimizationInputs(config), choose("auto", config.precision)
    photo = inputs.content(config.size)
    loss = PerceptualLoss(config.loss, weights, inputs.style_images(config.size)).to(memory_format=torch.channels_last)
    weight = style_strength.style_weight(loss, [photo], config.tile) if raw is None else raw
    loss.config = replace(config.loss, style_weight=weight)
    loss = loss.to(hardware.device).to_precision(hardware.dtype)
    target = loss.content_target(photo.to(hardware.device))
    trajectory = optimize(loss, target, photo.to(hardware.device), config.optimizer, config.iterations)
    measures = measure(loss, photo.to(hardware.device), target, trajectory.pixels)
    return Outcome(inputs.picture(trajectory.pixels).rgb, weight, measures)


@torch.no_grad()
def measure(loss: PerceptualLoss, photo: Tensor, target: Tensor, pixels: Tensor) -> tuple[float, float, float]:
    """Return the MEASURES of pixels [1, 3, H, W]."""
    features = loss.content_target(pixels)
    style = loss(pixels, target).style / loss(photo, target).style
    content = loss.content(features, target) / style_strength.energy(loss, target)
    one, other = (values - values.mean((2, 3), keepdim=True) for values in (features, target))
    likeness = (one * other).sum() / (one.norm() * other.norm())
    return style.item(), content.item(), likeness.item()


def main() -> None:
    """Optimize with each painting at each strength, print, and write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("content", "styles", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--raw", type=float, nargs="+")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("overrides", nargs="*", help="more settings of impasto-optimize, as in loss=gatys2016")
    options = parser.parse_args()
    keep_memory()
    weights = vgg_weights.load("auto")
    values, unit = (options.raw, "style_weight") if options.raw else (options.strengths, "strength")
    base = [
        *(f"content={options.content}", f"size={options.size}", f"style.size={options.size}"),
        *(f"iterations={options.iterations}", "optimizer.tolerance=0", *options.overrides),
    ]
    table = Table("painting", unit, "style_weight", *MEASURES, title=f"{options.size} px")
    rows, measured = [], []
    for path in find_pictures(options.styles)[: options.count]:
        outcomes = []
        for value in values:
            config = app.compose("optimize", [*base, f"style={path}", f"loss.style_strength={value}"])
            outcomes.append(stylize(config, weights, value if options.raw else None))
            cells = [f"{figure:.3f}" for figure in outcomes[-1].measures]
            table.add_row(path.stem, f"{value:g}", f"{outcomes[-1].style_weight:.4g}", *cells)
        height = outcomes[0].picture.shape[0]
        painting = decode.read(path).rgb
        width = round(height * painting.shape[1] / painting.shape[0])
        rows.append([resize(painting, (height, width)), *(outcome.picture for outcome in outcomes)])
        measured.append([outcome.measures for outcome in outcomes])
    contact_sheet.write_sheet(options.output, rows, ("painting", *(f"{unit} {value:g}" for value in values)))
    for index, value in enumerate(values):
        column = np.array([measures[index] for measures in measured])
        spread = [f"{high / low:.2f}" for high, low in zip(column.max(0), column.min(0), strict=True)]
        table.add_row("maximum / minimum", f"{value:g}", "", *spread)
    Console(width=110).print(table)
    print(options.output)


if __name__ == "__main__":
    main()
