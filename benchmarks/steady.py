"""What stabilize= does, as a sheet and in numbers: a still camera, a pan, and what moves before a still scene.

The clips are made of photos that may be redistributed (scikit-image), with new noise in each frame, as a camera has it.
Flicker is measured here by the motion that the clips are known to have, not by the one that Steady finds: the mean
difference of a pixel from the same point of the scene a frame earlier, in levels of 255. `sharpness` is what is left of
the edges (mean gradient); a ghost doubles edges, and so does it blur them.

Run: .venv/bin/python -m benchmarks.steady [MODEL] [--amount 0.7] [--sheet docs/steady.jpg]
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from impasto.export.steady import Steady
from impasto.models import exported, zoo
from impasto.models.pictures import Picture, resize

HEIGHT, WIDTH = 240, 320
FRAMES = 12
NOISE = 4.0  # levels of 255: a phone's camera indoors
PAN = 6  # px a frame, to the right
BORDER = 16  # px that are not counted: what comes in there was not seen before
TIMES = 4  # by which the sheet's differences are multiplied
COLUMNS = "a frame", "painted", "steadied", f"what steadying changed, x{TIMES}"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Frames [H, W, 3], and how many px the scene moves to the left from one to the next."""

    name: str
    frames: list[Pixels]
    step: int
    counted: NDArray[np.bool_]
    """[H, W]: where the scene stands still but for that step."""


def scenes() -> Iterator[Scene]:
    """The clips."""
    from skimage import data

    random = np.random.default_rng(0)

    def noisy(rgb: Pixels) -> Pixels:
        return np.clip(np.rint(rgb + random.normal(0, NOISE, rgb.shape)), 0, 255).astype(np.uint8)

    everywhere = np.zeros((HEIGHT, WIDTH), bool)
    everywhere[BORDER:-BORDER, BORDER : -BORDER - PAN] = True
    face = resize(data.astronaut(), (WIDTH * 3 // 2, WIDTH * 3 // 2))[:HEIGHT, :WIDTH]
    yield Scene("still", [noisy(face) for _ in range(FRAMES)], 0, everywhere)
    wide = resize(data.coffee(), (HEIGHT, 400))
    yield Scene("pan", [noisy(wide[:, PAN * i : PAN * i + WIDTH]) for i in range(FRAMES)], PAN, everywhere)
    cat = resize(data.chelsea(), (120, 180))[:, 25:145]
    rows, columns = np.indices(cat.shape[:2]) - 60
    disc, frames, counted = np.expand_dims(rows**2 + columns**2 < 55**2, 2), list[Pixels](), everywhere.copy()
    for number in range(FRAMES):
        frame, left = wide[:, :WIDTH].copy(), 10 + 2 * PAN * number
        frame[60:180, left : left + 120] = np.where(disc, cat, frame[60:180, left : left + 120])
        frames.append(noisy(frame))
    counted[40:200] = False
    yield Scene("moving", frames, 0, counted)


def flicker(frames: list[Pixels], scene: Scene) -> float:
    """The mean change of the same point of the scene from one frame to the next."""
    step, changes = scene.step, []
    for before, after in pairwise(frames):
        moved = np.roll(before.astype(float), -step, axis=1)
        changes.append(np.abs(after - moved)[scene.counted].mean())
    return float(np.mean(changes[2:]))


def sharpness(frame: Pixels) -> float:
    """The mean absolute gradient."""
    grey = frame.mean(2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def sheet(rows: list[tuple[Pixels, Pixels, Pixels]], path: Path) -> None:
    """A row for each clip: its last frame, painted, steadied, and the difference of these two."""
    canvas = Image.new("RGB", (len(COLUMNS) * WIDTH, 20 + len(rows) * HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(COLUMNS):
        draw.text((column * WIDTH + 6, 4), title, fill="black")
    for row, (frame, painted, mixed) in enumerate(rows):
        change = 128 + TIMES * (mixed.astype(int) - painted)
        for column, pixels in enumerate((frame, painted, mixed, change.clip(0, 255).astype(np.uint8))):
            canvas.paste(Image.fromarray(pixels), (column * WIDTH, 20 + row * HEIGHT))
    canvas.save(path, quality=70)


def main() -> None:
    """Measure, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="zoo/starry_night")
    parser.add_argument("--amount", type=float, default=0.7, help="stabilize=")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    session = exported.load(zoo.resolve(options.model, ".onnx"), 1)
    table, rows = Table(title=f"{options.model}, stabilize={options.amount:g}"), []
    for column in ("clip", "flicker before", "after", "of it", "sharpness kept", "as Steady counts, before", "after"):
        table.add_column(column, justify="right")
    for scene in scenes():
        painted = [exported.stylize(session, Picture(frame)).rgb for frame in scene.frames]
        steady = Steady(options.amount)
        mixed = [steady(frame, made) for frame, made in zip(scene.frames, painted, strict=True)]
        before, after = flicker(painted, scene), flicker(mixed, scene)
        row = (
            f"{before:.2f}",
            f"{after:.2f}",
            f"{after / before:.2f}",
            f"{sharpness(mixed[-1]) / sharpness(painted[-1]):.2f}",
        )
        table.add_row(scene.name, *row, *(f"{level:.2f}" for level in steady.flicker()))
        rows.append((scene.frames[-1], painted[-1], mixed[-1]))
    Console(width=120).print(table)
    if options.sheet:
        sheet(rows, options.sheet)


if __name__ == "__main__":
    main()
