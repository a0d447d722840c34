"""The style image to learn: read from a picture file, or rendered by one of impasto's procedural painters."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.style import StyleConfig
from impasto.models import provenance
from impasto.models.image import color, decode
from impasto.models.image.picture import resize
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.data.procedural_style import paint


@dataclass(frozen=True)
class StyleImage:
    """A style image.

    Attributes:
        pixels: Float RGB [1, 3, H, W], 0..255.
        sha256: The hash of its file, or of its bytes if it was rendered.
    """

    pixels: Tensor
    sha256: str


def load(config: StyleConfig) -> StyleImage:
    """Return the style image at the short side `config.size`, over white where it is transparent.

    Raises:
        UsageError: The picture is missing or cannot be read.
    """
    if config.painter is not None:
        rgb = paint(config.painter, config.size, config.seed)
        sha256 = hashlib.sha256(rgb.tobytes()).hexdigest()
    elif config.image is not None:
        path = Path(config.image)
        picture = decode.read(path)
        rgb = resize(color.over_white(picture.rgb, picture.alpha), config.size)
        sha256 = provenance.sha256(path)
    else:
        raise UsageError("style.image is missing; name a picture of the painting, as in style=FILE")
    return StyleImage(picture_to_pixels(rgb), sha256)
