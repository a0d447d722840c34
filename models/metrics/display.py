"""Likeness to the painting and to the photo at the size that is looked at, such as a phone's screen."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.models.image.color import luminance
from impasto.models.losses.terms import StyleLoss
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures

Pixels = NDArray[np.uint8]

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
OCTAVES = (1, 2, 4, 8)  # downscaling factors
MIN_FACE = 90  # px
EDGE_SCALE = 4  # edges are compared at a quarter of the display: outlines, not texture


class PaintingDistance:
    """The distance of pictures to a painting, at several octaves.

        d_k(x) = mean over layers l of |G_l(x / k) - A_l|^2 / |A_l|^2

    G and A are the Gram matrices of the picture and of the painting, both downscaled by k.

    Args:
        weights: The convolutions of VGG.
        painting: RGB [H, W, 3] at the size that is looked at.
        network: `vgg16` or `vgg19`.
    """

    def __init__(self, weights: Weights, painting: Pixels, network: str = "vgg16") -> None:
        self.vgg = VGGFeatures(LAYERS, weights, network)
        self.vgg.to(memory_format=torch.channels_last)
        self.losses = [
            {layer: StyleLoss(features, "relative") for layer, features in octave.items()}
            for octave in self._octaves(painting)
        ]

    @torch.no_grad()
    def __call__(self, picture: Pixels) -> list[float]:
        """Return d_k of a picture RGB [H, W, 3] for each of OCTAVES."""
        return [
            float(torch.stack([losses[layer](values) for layer, values in octave.items()]).mean())
            for losses, octave in zip(self.losses, self._octaves(picture), strict=True)
        ]

    @torch.no_grad()
    def _octaves(self, picture: Pixels) -> list[dict[str, Tensor]]:
        pixels = to_pixels(picture)
        return [self.vgg(F.avg_pool2d(pixels, octave)) for octave in OCTAVES]


def edges(picture: Pixels, photo: Pixels, box: tuple[slice, slice] | None = None) -> float:
    """Correlate the luminance gradients of a picture and its photo at 1 / EDGE_SCALE of their size.

    Args:
        picture: RGB [H, W, 3].
        photo: RGB [H, W, 3].
        box: Rows and columns to restrict the comparison to, in px.

    Returns:
        The correlation coefficient, -1..1; 0 for a flat picture.
    """
    rows, columns = box or (slice(None), slice(None))
    gradients = [_gradients(image[rows, columns]) for image in (picture, photo)]
    norm = np.sqrt((gradients[0] ** 2).sum() * (gradients[1] ** 2).sum())
    return float((gradients[0] * gradients[1]).sum() / norm) if norm > 0 else 0.0


def _gradients(rgb: Pixels) -> NDArray[np.float64]:
    plane = luminance(rgb).astype(np.float64)
    height, width = (side // EDGE_SCALE * EDGE_SCALE for side in plane.shape)
    cells = plane[:height, :width].reshape(height // EDGE_SCALE, EDGE_SCALE, width // EDGE_SCALE, EDGE_SCALE)
    small = cells.mean((1, 3))
    return np.stack([np.diff(small, axis=0)[:, :-1], np.diff(small, axis=1)[:-1]])


def faces(photo: Pixels) -> list[tuple[slice, slice]]:
    """Return rows and columns of the frontal faces that scikit-image's detector finds; empty if it is not installed."""
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError:
        return []
    sides = {"min_size": (MIN_FACE, MIN_FACE), "max_size": (min(photo.shape[:2]),) * 2}
    boxes = Cascade(lbp_frontal_face_cascade_filename()).detect_multi_scale(photo, 1.2, 1, **sides)
    return [(slice(box["r"], box["r"] + box["height"]), slice(box["c"], box["c"] + box["width"])) for box in boxes]


def to_pixels(rgb: Pixels) -> Tensor:
    """Convert RGB [H, W, 3] to float pixels [1, 3, H, W], 0..255."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float()
