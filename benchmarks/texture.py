"""A sheet of one photo painted at several sizes, without and with texture=: are strokes the same part of the picture?

Columns are sizes in px of the short side, the photo enlarged or made smaller to each. The first two rows show whole
results, made as large as each other; the others a part of each at its own pixels, one to one.

Run: .venv/bin/python benchmarks/texture.py MODEL SHEET.jpg [--photo FILE] [--sizes 512 1024 2048 4096] [--texture 512]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import track

from impasto.configs.app import compose
from impasto.export.golden import picture
from impasto.export.painter import Painter
from impasto.models.pictures import Picture, read, resize

Pixels = NDArray[np.uint8]

_GAP = 6
_LABEL = 22


def main() -> None:
    """Paint, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--photo", type=Path, help="else one of our own making")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--texture", type=int, default=512)
    parser.add_argument("--side", type=int, default=300, help="px of a cell's width")
    parser.add_argument("--at", type=float, nargs=2, default=[0.5, 0.5], help="x and y of the part's middle, 0..1")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if min(options.sizes) < options.side:
        sys.exit(
            f"--sizes begins at {min(options.sizes)}, but a part has --side {options.side} px; ask for larger sizes"
        )
    photo = read(options.photo).rgb if options.photo else picture(900, 1200)
    painters = {}
    for name, texture in (("as it is", "null"), (f"texture={options.texture}", options.texture)):
        settings = [f"model={options.model}", "input=-", "output=-", f"texture={texture}"]
        painters[name] = Painter(compose("stylize", settings), options.threads)
    wholes: dict[str, list[Pixels]] = {name: [] for name in painters}
    parts: dict[str, list[Pixels]] = {name: [] for name in painters}
    for size in track(options.sizes, "painting"):
        made = Picture(resize(photo, size))
        for name, painter in painters.items():
            painted = painter(made).rgb
            height = round(options.side * painted.shape[0] / painted.shape[1])
            wholes[name].append(resize(painted, (height, options.side)))
            parts[name].append(part(painted, (height, options.side), options.at))
    rows = list(wholes.items())
    rows += [(f"{name}, one to one", cells) for name, cells in parts.items()]
    sheet(rows, [f"{size} px" for size in options.sizes]).save(options.sheet, quality=75)
    print(f"{options.sheet} written, {options.sheet.stat().st_size:,} bytes")


def part(rgb: Pixels, size: tuple[int, int], at: list[float]) -> Pixels:
    """A part of (height, width) around a point that is given as x, y in 0..1, as far as the picture goes."""
    top, left = (
        min(max(0, round(where * length - side / 2)), length - side)
        for where, length, side in zip(at[::-1], rgb.shape[:2], size, strict=True)
    )
    return rgb[top : top + size[0], left : left + size[1]]


def sheet(rows: list[tuple[str, list[Pixels]]], titles: list[str]) -> Image.Image:
    """Cells of one size in rows, with what each row and column is."""
    height, width = rows[0][1][0].shape[:2]
    made = Image.new("RGB", (len(titles) * (width + _GAP) + _GAP, len(rows) * (height + _LABEL + _GAP)), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(14)
    for row, (name, cells) in enumerate(rows):
        top = row * (height + _LABEL + _GAP)
        for column, cell in enumerate(cells):
            left = _GAP + column * (width + _GAP)
            draw.text((left, top + 2), f"{titles[column]}, {name}", "black", font)
            made.paste(Image.fromarray(cell), (left, top + _LABEL))
    return made


if __name__ == "__main__":
    main()
