"""The evaluation of a network at the size that is looked at: octave distances, edges, faces, and textures."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.models.image.grain import add_grain
from impasto.models.image.picture import resize
from impasto.models.losses.weave import WeaveLoss
from impasto.models.metrics import display
from impasto.models.metrics.display import PaintingDistance
from impasto.models.metrics.flat_texture import FlatTexture
from impasto.models.metrics.pattern import Pattern, pattern
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.runtime.contact_sheet import to_bytes

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class DisplayEvaluation:
    """The evaluation of one photo at display size.

    Attributes:
        photo: The photo's name.
        octaves: The distance to the painting at each of `display.OCTAVES`, relative to the photo's own: 0 is the
            painting's texture, 1 no closer than the photo.
        edges: The correlation of the picture's gradients with the photo's, -1..1.
        faces: The same within the faces of the photo, their mean; null without a face.
        pattern: The strongest periodic pattern.
        flat_texture: The texture where the photo is flat, as a multiple of that in the painting's flat places; null
            without such places in the photo.
        weave: The weave loss of the picture, `losses.weave`: 0 or more.
        pixels: The photo at display size, uint8 [H, W, 3].
        stylized: The picture at display size, uint8 [H, W, 3].
    """

    photo: str
    octaves: list[float]
    edges: float
    faces: float | None
    pattern: Pattern
    flat_texture: float | None
    weave: float
    pixels: Pixels
    stylized: Pixels

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the pictures."""
        names = ("photo", "octaves", "edges", "faces", "flat_texture", "weave")
        return {name: getattr(self, name) for name in names} | {"pattern": self.pattern.to_json()}


class DisplayEvaluator:
    """Evaluates a network on photos at display size.

    Args:
        network: Maps pixels [1, 3, H, W], 0..255, to pixels.
        distance: The distance to `painting`.
        painting: The painting at display size, uint8 [H, W, 3].
        short_side: The short side of the display in px.
        stroke_resolution: The short side at which the network stylizes a photo; its output is resized to the display.
        grain: The standard deviation of the noise in what the network sees, in levels.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        distance: PaintingDistance,
        painting: Pixels,
        short_side: int,
        stroke_resolution: int,
        grain: float = 0.0,
    ) -> None:
        self.network = network
        self.distance = distance
        self.painting = painting
        self.flat_texture = FlatTexture(painting)
        self.weave = WeaveLoss()
        self.short_side = short_side
        self.stroke_resolution = stroke_resolution
        self.grain = grain

    @torch.no_grad()
    def evaluate(self, photo: Pixels, name: str) -> DisplayEvaluation:
        """Evaluate the network on a photo uint8 [H, W, 3]."""
        pixels = resize(photo, self.short_side)
        small = add_grain(resize(photo, self.stroke_resolution), self.grain)
        stylized = to_bytes(self.network(picture_to_pixels(small)))[0]
        stylized = resize(stylized, (pixels.shape[0], pixels.shape[1]))
        distances = zip(self.distance(stylized), self.distance(pixels), strict=True)
        faces = [display.edges(stylized, pixels, box) for box in display.faces(pixels)]
        flat_texture = self.flat_texture(stylized, pixels)
        return DisplayEvaluation(
            photo=name,
            octaves=[round(network / own, 4) for network, own in distances],
            edges=round(display.edges(stylized, pixels), 4),
            faces=round(statistics.mean(faces), 4) if faces else None,
            pattern=pattern(stylized, pixels, self.painting),
            flat_texture=None if flat_texture is None else round(flat_texture, 4),
            weave=round(self.weave(display.to_pixels(stylized)).item(), 4),
            pixels=pixels,
            stylized=stylized,
        )


@dataclass(frozen=True)
class DisplayMedians:
    """The medians over photos; `pattern` is that of the photo with the median fraction.

    `faces` and `flat_texture` are null where no photo has a face, or a flat place.
    """

    photos: int
    octaves: list[float]
    edges: float
    faces: float | None
    pattern: Pattern
    flat_texture: float | None
    weave: float


def medians(evaluations: list[DisplayEvaluation]) -> DisplayMedians:
    """Return the medians over the photos."""
    patterns = sorted((evaluation.pattern for evaluation in evaluations), key=lambda one: one.fraction)
    faces = [evaluation.faces for evaluation in evaluations if evaluation.faces is not None]
    textures = [evaluation.flat_texture for evaluation in evaluations if evaluation.flat_texture is not None]
    return DisplayMedians(
        photos=len(evaluations),
        octaves=[statistics.median(values) for values in zip(*(e.octaves for e in evaluations), strict=True)],
        edges=statistics.median(evaluation.edges for evaluation in evaluations),
        faces=statistics.median(faces) if faces else None,
        pattern=patterns[len(patterns) // 2],
        flat_texture=statistics.median(textures) if textures else None,
        weave=statistics.median(evaluation.weave for evaluation in evaluations),
    )
