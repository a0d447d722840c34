"""Synthetic images that exported files are tested on, and the golden images: such an image and its stylized version."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed

Pixels = NDArray[np.uint8]
Stylize = Callable[[Pixels], Pixels]
"""From RGB bytes [H, W, 3] to RGB bytes of the same size."""

CHECKERBOARDS = (1, 2, 8, 64)  # px: the sides of the squares
FOLDER = "golden"
_REMEDY = "get the bundle again from its source"
# (height, width): multiples of 4, odd sizes, the smallest height allowed, portrait, landscape
SIZES = ((256, 256), (131, 217), (16, 90), (302, 175), (64, 96))
_MOST_PIXELS = 2**20  # of an image that is read: a PNG of a few kB may hold gigapixels
_WITH_ALPHA = (64, 96)  # the others are opaque: apps store premultiplied colors, which rounds those under alpha


@dataclass(frozen=True)
class GoldenImage:
    """A photo and PyTorch's float32 output for it, rounded: RGBA bytes [H, W, 4].

    `style` names the style of a store, or a blend; it is empty for a network of one painting.
    """

    photo: Pixels
    stylized: Pixels
    style: str = ""

    @property
    def name(self) -> str:
        """WIDTHxHEIGHT."""
        return f"{self.photo.shape[1]}x{self.photo.shape[0]}"

    @property
    def title(self) -> str:
        """The name, and the style if there are several."""
        return f"{self.name} {self.style}".rstrip()


def golden_image(stylize: Stylize, height: int, width: int, style: str = "") -> GoldenImage:
    """Return a golden image of this size, in a style of a store."""
    rgb = picture(height, width)
    photo, stylized = opaque(rgb), opaque(stylize(rgb))
    if (height, width) == _WITH_ALPHA:
        photo[..., 3] = stylized[..., 3] = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return GoldenImage(photo, stylized, style)


def opaque(rgb: Pixels) -> Pixels:
    """Return RGBA bytes [H, W, 4] of RGB bytes [H, W, 3]."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def write(folder: Path, images: list[GoldenImage]) -> None:
    """Create `folder`, and write each image into it as NAME.png and NAME.stylized.png."""
    from PIL import Image

    folder.mkdir(parents=True)
    for golden in images:
        for pixels, suffix in ((golden.photo, ".png"), (golden.stylized, ".stylized.png")):
            Image.fromarray(pixels).save(folder / f"{golden.name}{suffix}", optimize=True)


def read(folder: Path, style: str = "") -> list[GoldenImage]:
    """Return the golden images of a folder, sorted by name, of a style of a store.

    Raises:
        CheckFailed: One cannot be read, is too large, or differs in size from its photo.
    """
    images = []
    for path in sorted(folder.glob("*.stylized.png")):
        photo_path = folder / path.name.replace(".stylized", "")
        photo, stylized = _read_png(photo_path), _read_png(path)
        if photo.shape != stylized.shape:
            raise CheckFailed(f"{FOLDER}/{path.name} is not of the size of its photo {photo_path.name}; {_REMEDY}")
        images.append(GoldenImage(photo, stylized, style))
    return images


def _read_png(path: Path) -> Pixels:
    from PIL import Image

    name = f"{FOLDER}/{path.name}"
    try:
        # PNG alone: the bundle may be anyone's, and Pillow runs Ghostscript to read EPS.
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise CheckFailed(f"{name} has {image.width}x{image.height} pixels, too many for it; {_REMEDY}")
            return np.array(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CheckFailed(f"{name} cannot be read as a PNG image; {_REMEDY}") from error


def checkerboards(height: int, width: int) -> list[Pixels]:
    """Return a checkerboard [H, W, 3] of black and white for each side of a square in CHECKERBOARDS."""
    y, x = np.indices((height, width), np.int16)
    boards = (((x // side + y // side) % 2).astype(np.uint8) for side in CHECKERBOARDS)
    return [np.repeat(255 * board[..., None], 3, axis=-1) for board in boards]


def extremes(height: int, width: int) -> list[Pixels]:
    """Return images [H, W, 3] beyond the range of photos: flat, saturated, checkerboards, noise. Deterministic."""
    random = np.random.default_rng(0)
    images = [np.full((height, width, 3), color) for color in (0, 128, 255, (255, 0, 0), (0, 0, 255), (255, 255, 0))]
    images += checkerboards(height, width)
    images += [random.integers(0, 256, (height, width, 3)), random.choice([0, 255], (height, width, 3))]
    return [values.astype(np.uint8) for values in images]


def picture(height: int, width: int) -> Pixels:
    """Return an image [H, W, 3] with features of photos: gradients, edges, texture, noise, saturated and flat areas.

    It depends on the size only.
    """
    random = np.random.default_rng([height, width])
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    waves = [
        np.sin(2 * np.pi * (a * x + b * y + phase)) * np.cos(np.pi * (b * x - a * y))
        for a, b, phase in random.uniform(0.5, 6, (3, 3))
    ]
    values = 128 + 90 * np.stack(waves, axis=-1) + 40 * (x - y)[..., None]
    values += random.normal(0, 12, values.shape) * (x > 0.5)[..., None]
    values[np.hypot(x - 0.3, y - 0.4) < 0.2] = random.uniform(0, 255, 3)  # flat
    values[(y > 0.75) & (x < 0.35)] = 255
    values[(y > 0.75) & (x > 0.65)] = 0
    values[(y < 0.2) & (x > 0.7)] = (255, 0, 20)
    return np.clip(values, 0, 255).astype(np.uint8)
