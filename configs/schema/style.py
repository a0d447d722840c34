"""The settings of a painting."""

import hashlib
import re
import unicodedata
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key

DISPLAY_SIZE = 512  # px; a painting learned at a smaller size has no strokes for photos of a display's size
LONGEST_TEXT = 1000  # characters, since the card and every exported file repeat it
MAX_GRAIN = 32.0  # levels
_ROUNDING = 1e-3  # of weights that sum to 1: those of three styles may be 0.333
_NAME_BYTES = 80  # of a style's name: a file name has 255 at most, and others are put before it


@dataclass(config=CONFIG)
class StyleConfig:
    """A painting: an image file, or a procedural style."""

    name: Annotated[str, Key("Name of the style; the image file's stem by default.")]
    image: Annotated[str | None, Key("Image file of the painting; style=FILE sets it, too.", path="FILE")]
    painter: Annotated[str | None, Key("Procedural style instead of an image.", choices=("swirls", "facets"))]
    size: Annotated[int, Key("Short side of the painting, in pixels; half of it halves the strokes.", 32, 4096)]
    seed: Annotated[int, Key("Seed of a procedural style.", 0)]
    artist: Annotated[str, Key("Artist, for the checkpoint's card.")]
    license: Annotated[str, Key("License of the painting, for the checkpoint's card.")]
    title: Annotated[str, Key("Title of the painting, for the checkpoint's card.")] = "unknown"
    source: Annotated[str, Key("Where the image is from, for the checkpoint's card: a museum, a URL.")] = "unknown"
    stroke_resolution: Annotated[
        int | None,
        Key(
            "Short side of a photo, in pixels, at which the network's strokes are as large as the painting's, for the "
            f"checkpoint's card; null is style.size where that is at least {DISPLAY_SIZE}, and none below.",
            32,
            8192,
        ),
    ] = None
    grain: Annotated[
        float,
        Key(
            "Grain that a photo gets by default, for the checkpoint's card: smooth noise, by its standard deviation in "
            "levels.",
            0,
            MAX_GRAIN,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        for key in ("name", "artist", "license"):
            if (length := len(getattr(self, key))) > LONGEST_TEXT:
                raise UsageError(f"style.{key} has {length} characters; give at most {LONGEST_TEXT}")
        if self.image is not None and self.painter is not None:
            raise UsageError(
                f"style.image={self.image} and style.painter={self.painter} name two styles; give style={self.image} "
                "alone"
            )

    def card_stroke_resolution(self) -> int | None:
        """The stroke resolution for the checkpoint's card."""
        if self.stroke_resolution is None and self.size >= DISPLAY_SIZE:
            return self.size
        return self.stroke_resolution


@dataclass(config=CONFIG)
class TrainStyleConfig(StyleConfig):
    """A painting, or several for a store of styles."""

    images: Annotated[
        list[str],
        Key(
            "Image files of the paintings of a store of styles, or folders of them; style=[FILE,FILE] and style=DIR "
            "set it, too. Each style has the name of its file; style.name is the store's.",
            path="FILE",
        ),
    ] = field(default_factory=list)

    @property
    def is_store(self) -> bool:
        """Whether a store of styles is trained."""
        return bool(self.images)


def style_weights(style: str, key: str = "style") -> dict[str, float]:
    """Read the weights of a store's styles: of `starry_night`, or of `{starry_night: 0.7, great_wave: 0.3}`.

    Raises:
        UsageError: It is not of this form, or the weights do not sum to 1.
    """
    if style[:1] != "{":
        return {style: 1.0}
    example = f"as in {key}='{{starry_night: 0.7, great_wave: 0.3}}'"
    try:
        values: Any = OmegaConf.to_container(OmegaConf.create(style))  # unlike PyYAML, it refuses a key given twice
        weights = {str(name): float(weight) for name, weight in values.items() if not isinstance(weight, bool)}
        if len(weights) < len(values):
            raise ValueError("true and false are not weights")
    except (yaml.YAMLError, OmegaConfBaseException, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{key}={style} is not a blend of styles; give each one once, with a weight, {example}"
        ) from error
    if not weights:
        raise UsageError(f"{key}={style} names no style; give a weight for each, {example}")
    if not all(weight >= 0 for weight in weights.values()):
        raise UsageError(f"{key}={style} has a weight below 0, or one that is not a number; give weights from 0 to 1")
    if abs((total := sum(weights.values())) - 1) > _ROUNDING:
        raise UsageError(f"{key}={style} has weights that sum to {total:g}; make them sum to 1")
    return weights


def slug(path: str) -> str:
    """A file's stem as the name of a style and a part of file names: lower-case, in ASCII if its letters allow it.

    A name of other letters stays in them. A long one is cut, with a hash that tells it from others that begin alike.
    """
    stem = unicodedata.normalize("NFC", Path(path).stem.encode(errors="replace").decode()).lower()
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    if sum(map(str.isalnum, ascii_only)) >= sum(map(str.isalnum, stem)):
        stem = ascii_only
    letters = [letter if unicodedata.category(letter)[0] in "LMN" or letter == "_" else "-" for letter in stem]
    name = re.sub("-+", "-", "".join(letters)).strip("-") or "picture"
    if len(name.encode()) > _NAME_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name.encode()[:_NAME_BYTES].decode(errors='ignore').rstrip('-')}-{digest}"
    return name
