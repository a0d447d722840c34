"""A sheet of one photo stylized at several sizes, with native and with larger strokes, to compare their scale.

Columns are sizes of the short side in px, to which the photo is resized. The first two rows show whole results at one
size, the others a crop of each at full resolution.

Run: python -m benchmarks.stroke_resolution MODEL SHEET.jpg [--photo FILE] [--sizes 512 1024 2048 4096]
     [--stroke-resolution 512]
     python -m benchmarks.stroke_resolution MODEL --measure 12
     prints what impasto-stylize takes for a synthetic photo of 12 megapixels, instead of writing a sheet.
     python -m benchmarks.stroke_resolution MODEL --octaves PAINTING PHOTOS [--count 3]
     prints the distance to the painting of photos stylized at 1080 px and, enlarged, at 12 megapixels, both as seen
     at 1080 px. It needs the train extra.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import track

from benchmarks import large
from impasto.configs.cli.app import compose
from impasto.export.inference.stylizer import Stylizer
from impasto.export.test_images import picture
from impasto.models.image.decode import read
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import Picture, resize

Pixels = NDArray[np.uint8]

DISPLAY = 1080  # px: the short side of a phone's screen
LARGE = 12_000_000  # pixels
_GAP = 6
_LABEL = 22


def main() -> None:
    """Stylize, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sheet", type=Path, nargs="?")
    parser.add_argument("--photo", type=Path, help="a synthetic photo by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--stroke-resolution", type=int, default=512)
    parser.add_argument("--side", type=int, default=300, help="width of a cell in px")
    parser.add_argument("--at", type=float, nargs=2, default=[0.5, 0.5], help="x and y of the crop's center, 0..1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--measure", type=float, metavar="MEGAPIXELS", help="measure time and memory instead")
    parser.add_argument("--rounds", type=int, default=5, help="of the measurement")
    parser.add_argument(
        "--octaves", type=Path, nargs=2, metavar=("PAINTING", "PHOTOS"), help="measure distances instead"
    )
    parser.add_argument("--count", type=int, default=3, help="photos of --octaves")
    options = parser.parse_args()
    if options.octaves:
        distances(options)
        return
    if options.measure:
        measure(options)
        return
    if options.sheet is None:
        parser.error("name a SHEET.jpg to write, or give --measure")
    if min(options.sizes) < options.side:
        sys.exit(f"--sizes {min(options.sizes)} is smaller than a crop of --side {options.side} px; use larger sizes")
    photo = read(options.photo).rgb if options.photo else picture(900, 1200)
    stylizers = {}
    for value in ("native", options.stroke_resolution):
        name = f"stroke_resolution={value}"
        settings = [f"model={options.model}", "input=-", "output=-", name]
        stylizers[name] = Stylizer(compose("stylize", settings), options.threads)
    wholes: dict[str, list[Pixels]] = {name: [] for name in stylizers}
    crops: dict[str, list[Pixels]] = {name: [] for name in stylizers}
    for size in track(options.sizes, "stylizing"):
        resized = Picture(resize(photo, size))
        for name, stylizer in stylizers.items():
            rgb = stylizer(resized).rgb
            height = round(options.side * rgb.shape[0] / rgb.shape[1])
            wholes[name].append(resize(rgb, (height, options.side)))
            crops[name].append(crop(rgb, (height, options.side), options.at))
    rows = list(wholes.items())
    rows += [(f"{name}, 1:1", cells) for name, cells in crops.items()]
    sheet(rows, [f"{size} px" for size in options.sizes]).save(options.sheet, quality=75)
    print(f"{options.sheet} written, {options.sheet.stat().st_size:,} bytes")


def measure(options: argparse.Namespace) -> None:
    """Print the seconds and the peak memory of impasto-stylize with and without a stroke resolution, interleaved."""
    usages: dict[str, list[large.Usage]] = {"native": [], str(options.stroke_resolution): []}
    with tempfile.TemporaryDirectory() as temporary:
        photo = Path(temporary, "photo.jpg")
        large.make_photo(options.photo, options.measure, photo)
        for number in track(range(options.rounds), "stylizing"):
            for value, measured in usages.items():
                output = Path(temporary, f"{value}-{number}.jpg")
                settings = [f"stroke_resolution={value}"]
                measured.append(large.stylize(options.model, photo, output, options.threads, settings))
    for value, measured in usages.items():
        seconds, cpu = (median(getattr(usage, name) for usage in measured) for name in ("seconds", "cpu"))
        peak = max(usage.peak for usage in measured)
        print(f"stroke_resolution={value}: {seconds:.2f} s, {cpu:.2f} s of CPU time, {peak:.0f} MiB at the peak")


def distances(options: argparse.Namespace) -> None:
    """Print octave distances and edges of photos stylized at DISPLAY and at LARGE pixels, both seen at DISPLAY."""
    from impasto.models.metrics import display
    from impasto.models.vgg import weights

    painting, folder = options.octaves
    distance = display.PaintingDistance(weights.load("auto"), resize(read(painting).rgb, DISPLAY))
    settings = [f"model={options.model}", "input=-", "output=-"]
    stylizer = Stylizer(compose("stylize", settings), options.threads)
    rows: dict[str, list[list[float]]] = {"1080 px": [], "12 megapixels": []}
    for path in find_pictures(folder)[: options.count]:
        photo = resize(read(path).rgb, DISPLAY)
        own = distance(photo)
        side = round(DISPLAY * math.sqrt(LARGE / photo[..., 0].size))
        for name, size in zip(rows, (DISPLAY, side), strict=True):
            seen = resize(stylizer(Picture(resize(photo, size))).rgb, photo.shape[:2])
            octaves = [value / base for value, base in zip(distance(seen), own, strict=True)]
            rows[name].append([*octaves, display.edges(seen, photo)])
            print(path.name, name, *(f"{value:.3f}" for value in rows[name][-1]))
    for name, values in rows.items():
        print("median", name, *(f"{median(column):.3f}" for column in zip(*values, strict=True)))


def crop(rgb: Pixels, size: tuple[int, int], at: list[float]) -> Pixels:
    """Crop (height, width) around a point x, y in 0..1; the crop is moved inside the picture."""
    top, left = (
        min(max(0, round(fraction * length - side / 2)), length - side)
        for fraction, length, side in zip(at[::-1], rgb.shape[:2], size, strict=True)
    )
    return rgb[top : top + size[0], left : left + size[1]]


def sheet(rows: list[tuple[str, list[Pixels]]], titles: list[str]) -> Image.Image:
    """Arrange cells of one size in rows, with titles."""
    height, width = rows[0][1][0].shape[:2]
    canvas = Image.new("RGB", (len(titles) * (width + _GAP) + _GAP, len(rows) * (height + _LABEL + _GAP)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for row, (name, cells) in enumerate(rows):
        top = row * (height + _LABEL + _GAP)
        for column, cell in enumerate(cells):
            left = _GAP + column * (width + _GAP)
            draw.text((left, top + 2), f"{titles[column]}, {name}", "black", font)
            canvas.paste(Image.fromarray(cell), (left, top + _LABEL))
    return canvas


if __name__ == "__main__":
    main()
