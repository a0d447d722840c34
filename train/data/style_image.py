"""The style image to learn: read from a picture file, or rendered by one of impasto's procedural painters."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.style import StyleConfig, TrainStyleConfig, slug
from impasto.models import provenance
from impasto.models.image import color, decode
from impasto.models.image.discover import find_pictures
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


def paintings(config: TrainStyleConfig) -> list[StyleConfig]:
    """Return the settings of each painting that a run learns: of the only one, or of each of a store.

    Raises:
        UsageError: A folder cannot be listed or holds no pictures, or two paintings have one name.
    """
    known = {item.name: getattr(config, item.name) for item in fields(StyleConfig)}
    if not config.is_store:
        return [StyleConfig(**known)]
    styles: dict[str, StyleConfig] = {}
    for path in (picture for image in config.images for picture in _pictures(Path(image))):
        name = slug(path.name)
        if name in styles:
            raise UsageError(
                f"style has two paintings of the name {name}, {styles[name].image} and {path}; rename one file"
            )
        styles[name] = StyleConfig(**(known | {"name": name, "image": str(path)}))
    return [*styles.values()]


def _pictures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if not (pictures := find_pictures(path)):
        raise UsageError(f"style={path} holds no pictures; name a folder of paintings")
    return pictures
