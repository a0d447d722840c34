"""What a picture file says of itself before its pixels are read. No torch here."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from impasto.models import pictures


@dataclass(frozen=True)
class Header:
    """Bytes, kind (JPEG...) and size of a file, and what is odd about it, of schema.EXOTIC."""

    bytes: int
    kind: str
    width: int
    height: int
    odd: tuple[str, ...]


def read(source: Path | BinaryIO, name: str | None = None) -> Header:
    """The header of a picture file, or UnreadablePicture."""
    name = name or str(source)
    with pictures.stream(source, name) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        with pictures.opened(file, name) as image:
            return Header(size, image.format or "", image.width, image.height, tuple(_odd(image)))


def _odd(image: Image.Image) -> list[str]:
    found = {
        "cmyk": image.mode == "CMYK",
        # Pillow gives colours of 16 bits as 8; how they lie in the file shows in what its decoder is told.
        "16-bit": image.mode == "F" or image.mode.startswith("I") or "16" in str(getattr(image, "tile", "")),
        "alpha": image.has_transparency_data,
        "palette": image.mode in ("P", "PA"),
        # A camera's MPO holds a small second picture, which is no animation.
        "animated": image.format != "MPO" and getattr(image, "is_animated", False),
    }
    return [kind for kind, here in found.items() if here]
