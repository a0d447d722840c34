"""The settings of a painting."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key

DISPLAY_SIZE = 512  # px; a painting learned at a smaller size has no strokes for photos of a display's size
LONGEST_TEXT = 1000  # characters, since the card and every exported file repeat it


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
    stroke_resolution: Annotated[
        int | None,
        Key(
            "Short side of a photo, in pixels, at which the network's strokes are as large as the painting's, for the "
            f"checkpoint's card; null is style.size where that is at least {DISPLAY_SIZE}, and none below.",
            32,
            8192,
        ),
    ] = None

    def __post_init__(self) -> None:
        for key in ("name", "artist", "license"):
            if (length := len(getattr(self, key))) > LONGEST_TEXT:
                raise UsageError(f"style.{key} has {length} characters; give at most {LONGEST_TEXT}")

    def card_stroke_resolution(self) -> int | None:
        """The stroke resolution for the checkpoint's card."""
        if self.stroke_resolution is None and self.size >= DISPLAY_SIZE:
            return self.size
        return self.stroke_resolution
