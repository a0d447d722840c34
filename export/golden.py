"""Golden pictures: what the network makes of given pictures, for every runtime and for the app team's own tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Stylize = Callable[[Pixels], Pixels]
"""From RGB bytes [H, W, 3] to RGB bytes of the same size."""

FOLDER = "golden"
# (height, width): multiples of 4, odd ones, the smallest height there is, portrait, landscape
SIZES = ((256, 256), (131, 217), (16, 90), (302, 175), (64, 96))
_SEE_THROUGH = (64, 96)  # the others are opaque: apps keep colours premultiplied, which rounds those under alpha


@dataclass(frozen=True)
class Golden:
    """A picture and what PyTorch makes of it in float32, rounded: RGBA bytes [H, W, 4]."""

    photo: Pixels
    stylized: Pixels

    @property
    def name(self) -> str:
        """WIDTHxHEIGHT."""
        return f"{self.photo.shape[1]}x{self.photo.shape[0]}"


def make(stylize: Stylize, height: int, width: int) -> Golden:
    """A golden picture of this size."""
    rgb = picture(height, width)
    photo, stylized = opaque(rgb), opaque(stylize(rgb))
    if (height, width) == _SEE_THROUGH:
        photo[..., 3] = stylized[..., 3] = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return Golden(photo, stylized)


def opaque(rgb: Pixels) -> Pixels:
    """RGBA bytes [H, W, 4] of RGB bytes [H, W, 3]."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def write(folder: Path, pictures: list[Golden]) -> None:
    """Write each as NAME.png and NAME.stylized.png into `folder`, which is made."""
    from PIL import Image

    folder.mkdir(parents=True)
    for golden in pictures:
        for pixels, kind in ((golden.photo, ".png"), (golden.stylized, ".stylized.png")):
            Image.fromarray(pixels).save(folder / f"{golden.name}{kind}", optimize=True)


def read(folder: Path) -> list[Golden]:
    """The pictures of a bundle's `folder`, in the order of their names."""
    from PIL import Image

    found = []
    for path in sorted(folder.glob("*.stylized.png")):
        with Image.open(path) as stylized, Image.open(folder / path.name.replace(".stylized", "")) as photo:
            found.append(Golden(np.array(photo.convert("RGBA")), np.array(stylized.convert("RGBA"))))
    return found


def extremes(height: int, width: int) -> list[Pixels]:
    """Pictures [H, W, 3] that reach further than photos do: flat, saturated, checkerboards, noise. Always the same."""
    random = np.random.default_rng(0)
    y, x = np.indices((height, width))
    made = [np.full((height, width, 3), colour) for colour in (0, 128, 255, (255, 0, 0), (0, 0, 255), (255, 255, 0))]
    made += [np.repeat(255 * ((x // step + y // step) % 2)[..., None], 3, axis=-1) for step in (1, 2, 8, 64)]
    made += [random.integers(0, 256, (height, width, 3)), random.choice([0, 255], (height, width, 3))]
    return [values.astype(np.uint8) for values in made]


def picture(height: int, width: int) -> Pixels:
    """A picture [H, W, 3] with what photos have: gradients, edges, texture, noise, and saturated and flat regions.

    The same for the same size.
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
