"""The effect of temporal_smoothing= in numbers and as a sheet: a static camera, a pan, a moving object.

The clips are made from redistributable photos (scikit-image) with new noise in each frame, as cameras have it. Flicker
is measured along the known motion of the clips, not along the motion that TemporalFilter estimates: the mean absolute
change of a point of the scene from frame to frame, in levels of 255. `sharpness` is the remaining part of the mean
gradient; ghosts would blur edges.

Run: python -m benchmarks.temporal_smoothing [MODEL] [--amount 0.7] [--sheet docs/temporal_smoothing.jpg]
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

from impasto.export.video.temporal_filter import TemporalFilter
from impasto.models import onnx_model, zoo
from impasto.models.image.picture import Picture, resize

HEIGHT, WIDTH = 240, 320
FRAMES = 12
NOISE = 4.0  # levels of 255: a phone's camera indoors
PAN = 6  # px a frame, to the right
BORDER = 16  # px that are ignored: their content enters the frame
GAIN = 4  # factor of the differences on the sheet
COLUMNS = "frame", "stylized", "filtered", f"difference, x{GAIN}"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Frames [H, W, 3], and how many px the scene moves to the left per frame."""

    name: str
    frames: list[Pixels]
    step: int
    valid: NDArray[np.bool_]
    """[H, W]: where nothing but the scene itself moves."""


def scenes() -> Iterator[Scene]:
    """Generate the clips."""
    from skimage import data

    random = np.random.default_rng(0)

    def noisy(rgb: Pixels) -> Pixels:
        return np.clip(np.rint(rgb + random.normal(0, NOISE, rgb.shape)), 0, 255).astype(np.uint8)

    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[BORDER:-BORDER, BORDER : -BORDER - PAN] = True
    face = resize(data.astronaut(), (WIDTH * 3 // 2, WIDTH * 3 // 2))[:HEIGHT, :WIDTH]
    yield Scene("still", [noisy(face) for _ in range(FRAMES)], 0, valid)
    wide = resize(data.coffee(), (HEIGHT, 400))
    yield Scene("pan", [noisy(wide[:, PAN * i : PAN * i + WIDTH]) for i in range(FRAMES)], PAN, valid)
    cat = resize(data.chelsea(), (120, 180))[:, 25:145]
    rows, columns = np.indices(cat.shape[:2]) - 60
    disc, frames, background = np.expand_dims(rows**2 + columns**2 < 55**2, 2), list[Pixels](), valid.copy()
    for number in range(FRAMES):
        frame, left = wide[:, :WIDTH].copy(), 10 + 2 * PAN * number
        frame[60:180, left : left + 120] = np.where(disc, cat, frame[60:180, left : left + 120])
        frames.append(noisy(frame))
    background[40:200] = False
    yield Scene("moving", frames, 0, background)


def flicker(frames: list[Pixels], scene: Scene) -> float:
    """Return the mean change of a point of the scene from one frame to the next."""
    step, changes = scene.step, []
    for before, after in pairwise(frames):
        aligned = np.roll(before.astype(float), -step, axis=1)
        changes.append(np.abs(after - aligned)[scene.valid].mean())
    return float(np.mean(changes[2:]))


def sharpness(frame: Pixels) -> float:
    """Return the mean absolute gradient."""
    gray = frame.mean(2)
    return float(np.abs(np.diff(gray, axis=0)).mean() + np.abs(np.diff(gray, axis=1)).mean())


def sheet(rows: list[tuple[Pixels, Pixels, Pixels]], path: Path) -> None:
    """Write a row for each clip: its last frame, stylized, filtered, and the difference of these two."""
    canvas = Image.new("RGB", (len(COLUMNS) * WIDTH, 20 + len(rows) * HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(COLUMNS):
        draw.text((column * WIDTH + 6, 4), title, fill="black")
    for row, (frame, stylized, filtered) in enumerate(rows):
        change = 128 + GAIN * (filtered.astype(int) - stylized)
        for column, pixels in enumerate((frame, stylized, filtered, change.clip(0, 255).astype(np.uint8))):
            canvas.paste(Image.fromarray(pixels), (column * WIDTH, 20 + row * HEIGHT))
    canvas.save(path, quality=70)


def main() -> None:
    """Measure, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="zoo/starry_night")
    parser.add_argument("--amount", type=float, default=0.7, help="temporal_smoothing=")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    session = onnx_model.load(zoo.resolve(options.model, ".onnx"), 1)
    table, rows = Table(title=f"{options.model}, temporal_smoothing={options.amount:g}"), []
    for column in ("clip", "flicker before", "after", "ratio", "sharpness", "estimated before", "after"):
        table.add_column(column, justify="right")
    for scene in scenes():
        stylized = [onnx_model.stylize(session, Picture(frame)).rgb for frame in scene.frames]
        temporal_filter = TemporalFilter(options.amount)
        filtered = [temporal_filter(*pair) for pair in zip(scene.frames, stylized, strict=True)]
        before, after = flicker(stylized, scene), flicker(filtered, scene)
        row = (
            f"{before:.2f}",
            f"{after:.2f}",
            f"{after / before:.2f}",
            f"{sharpness(filtered[-1]) / sharpness(stylized[-1]):.2f}",
        )
        table.add_row(scene.name, *row, *(f"{level:.2f}" for level in temporal_filter.flicker()))
        rows.append((scene.frames[-1], stylized[-1], filtered[-1]))
    Console(width=120).print(table)
    if options.sheet:
        sheet(rows, options.sheet)


if __name__ == "__main__":
    main()
