"""The stages of a run's crops: small crops first, for many steps, then crops as large as the pictures to stylize."""

import numpy as np

from impasto.configs.schema.data import AUTO, DataConfig
from impasto.configs.schema.loss import LossConfig
from impasto.models.card import CropStage
from impasto.models.image.picture import UnreadablePicture
from impasto.train.data.dataset import PhotoSet

SIZES = (128, 256, 384)  # px; docs/benchmarks.md measures 256 after 128
SHARE = 0.6  # of the remaining budget that each stage but the last takes
GROWTH = 1.25  # a stage whose crops are less than this larger than those before it is left out
SCALES = (2 / 3, 1.0)  # a photo's short side, as multiples of style.size; 512 to 768 px for 768 (docs/experiments.md)
SAMPLED = 64  # photos whose size is read


def plan(config: DataConfig, loss: LossConfig, style_size: int, short_side: int, stride: int) -> list[CropStage]:
    """Return the stages of a new run.

    Args:
        config: The size and the scale range of the crops, which may be automatic.
        loss: The loss; its window and its least side limit how small a crop can be.
        style_size: The short side of the painting, in pixels.
        short_side: That of all but the smallest photos, as `photo_short_side` returns it.
        stride: That of the network, which divides the sizes.
    """
    sizes = _sizes(loss, short_side, max(8, stride)) if config.size == AUTO else [int(config.size)]
    untils = [1 - (1 - SHARE) ** (number + 1) for number in range(len(sizes) - 1)] + [1.0]
    return [
        CropStage(size, config.scale_range or _scale_range(size, style_size), until)
        for size, until in zip(sizes, untils, strict=True)
    ]


def photo_short_side(photos: PhotoSet) -> int:
    """Return the short side, in pixels, that three quarters of the photos have at least; 0 if no header is readable.

    Up to SAMPLED photos are read, spread over the whole set.
    """
    sides = []
    for name in photos.names[:: max(1, len(photos.names) // SAMPLED)]:
        try:
            header = photos.header(name)
        except UnreadablePicture:
            continue
        sides.append(min(header.width, header.height))
    return int(np.quantile(sides, 0.25)) if sides else 0


def _sizes(loss: LossConfig, short_side: int, step: int) -> list[int]:
    """SIZES that the loss and the photos allow. The first needs the loss alone: photos are enlarged to it."""
    least = step * -(-max(2 * loss.least_side(), loss.window or 0) // step)
    sizes: list[int] = []
    for wanted in SIZES:
        size = min(wanted, short_side // step * step) if sizes else wanted
        if size >= (GROWTH * sizes[-1] if sizes else least):
            sizes.append(size)
    return sizes or [least]


def _scale_range(size: int, style_size: int) -> list[float]:
    """Photos at the painting's scale, and never smaller than a crop."""
    low, high = (factor * style_size / size for factor in SCALES)
    return [max(1.0, low), max(1.25, high)]
