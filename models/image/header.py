"""Read a picture file's header without decoding its pixels; no torch."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from impasto.models.image import decode


@dataclass(frozen=True)
class Header:
    """A file's size in bytes, format (JPEG, ...) and dimensions in px; `odd` lists its traits among schema.EXOTIC."""

    bytes: int
    kind: str
    width: int
    height: int
    odd: tuple[str, ...]


def read(source: Path | BinaryIO, name: str | None = None) -> Header:
    """Read the header of a picture file, or raise UnreadablePicture."""
    name = name or str(source)
    with decode.open_binary(source, name) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        with decode.open_image(file, name) as image:
            return Header(size, image.format or "", image.width, image.height, tuple(_odd(image)))


def _odd(image: Image.Image) -> list[str]:
    traits = {
        "cmyk": image.mode == "CMYK",
        # Pillow reduces 16-bit colors to 8 bits; the stored depth shows in the decoder's arguments.
        "16-bit": image.mode == "F" or image.mode.startswith("I") or "16" in str(getattr(image, "tile", "")),
        "alpha": image.has_transparency_data,
        "palette": image.mode in ("P", "PA"),
        # A camera's MPO holds a small second picture, which is not an animation.
        "animated": image.format != "MPO" and getattr(image, "is_animated", False),
    }
    return [trait for trait, present in traits.items() if present]
