"""The zoo of an earlier commit beside today's, at the size of a phone's screen: whole, and one pixel for one.

Run: git worktree add --detach EARLIER COMMIT
     python -m benchmarks.before_after --before EARLIER/models/zoo
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import demo
from benchmarks.zoo import DISPLAY
from impasto.configs.schema.stylize import StylizeConfig
from impasto.export.inference.stylizer import Stylizer
from impasto.models import zoo
from impasto.models.image import decode, encode
from impasto.models.image.picture import Picture, resize
from impasto.train.runtime import contact_sheet

OUTPUT = Path("docs/before_after.jpg")
PHOTOS = {  # of each painting, and the top left corner of the part that is shown one to one, in fractions of the sides
    "great_wave": ("sklearn", "china.jpg", (0.45, 0.35)),
    "starry_night": ("skimage", "astronaut.png", (0.1, 0.3)),
    "the_scream": ("skimage", "chelsea.png", (0.25, 0.3)),
    "udnie": ("skimage", "coffee.png", (0.2, 0.3)),
}
SIDE = 240  # px: the short side of a picture, and both sides of a part
QUALITY = 75
COLUMNS = ("painting", "photo", "before", "after", "before, 1:1", "after, 1:1")


def stylized(model: str, photo: Picture, **settings: Any) -> NDArray[np.uint8]:
    """The photo in the style of a network, RGB [H, W, 3], at the size that it has."""
    return Stylizer(StylizeConfig(model=model, input="-", output="-", **settings), threads=0)(photo).rgb


def part(rgb: NDArray[np.uint8], corner: tuple[float, float]) -> NDArray[np.uint8]:
    """A square of SIDE px."""
    top, left = (round(fraction * side) for fraction, side in zip(corner, rgb.shape[:2], strict=True))
    return rgb[top : top + SIDE, left : left + SIDE]


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="models/zoo of an earlier commit")
    options = parser.parse_args()
    rows = []
    for painting, (package, name, corner) in PHOTOS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = demo.photos(Path(folder), {package: (name,)}) / Path(name).with_suffix(".jpg")
            photo = Picture(resize(decode.read(file).rgb, DISPLAY))
        original = decode.read(zoo.FOLDER / painting / zoo.PAINTING).rgb
        # Version 0.1 ran a network on all pixels of a photo.
        before = stylized(str(options.before / painting / "mobile.onnx"), photo, stroke_resolution="native")
        after = stylized(f"zoo/{painting}", photo)
        whole = [resize(rgb, SIDE) for rgb in (photo.rgb, before, after)]
        rows.append([contact_sheet.thumbnail(original, SIDE), *whole, part(before, corner), part(after, corner)])
    encode.write(Picture(contact_sheet.sheet(rows, COLUMNS)), OUTPUT, quality=QUALITY)
    print(OUTPUT)


if __name__ == "__main__":
    main()
