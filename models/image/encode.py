"""Write JPEG, PNG, WebP and TIFF files atomically; no torch."""

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from impasto.configs.atomic_file import atomic_write
from impasto.configs.errors import UsageError
from impasto.models.image import exif
from impasto.models.image.picture import STRIP_PIXELS, Picture

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
WRITABLE = tuple(_FORMATS)

# JPEG in 4:4:4, since strokes have edges in color alone. WebP keeps the colors under full transparency.
_OPTIONS: Any = {"JPEG": {"subsampling": 0}, "WEBP": {"exact": True}, "TIFF": {"compression": "tiff_deflate"}}


def write(picture: Picture, path: Path, quality: int) -> None:
    """Write a picture atomically in the format of the path's suffix, and create its folder.

    Args:
        picture: The picture. A format without alpha composites it over white.
        path: The file.
        quality: 1..100, for JPEG (4:4:4) and WebP.

    Raises:
        UsageError: The suffix is unsupported, or the file cannot be written.
    """
    check_writable(path)
    kind = _FORMATS[path.suffix.lower()]
    options = save_options(kind, quality)
    if picture.had_profile:
        options["icc_profile"] = srgb_profile()
    image = Image.fromarray(picture.rgb)
    if picture.exif:
        options["exif"] = exif.for_format(picture.exif, *image.size, picture.had_profile, kind)
    if picture.alpha is not None:
        if kind == "JPEG":
            composite_over_white(image, picture.alpha)
        else:
            image.putalpha(Image.fromarray(picture.alpha))
    del picture  # frees its pixels if the caller holds no reference: Pillow's copy takes 4 bytes a pixel
    encoded = io.BytesIO()  # Pillow does not notice when a full disk truncates a file
    try:
        image.save(encoded, kind, **options)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part:
            part.write_bytes(encoded.getbuffer())
    except (OSError, ValueError) as error:  # ValueError: WebP's limit of 16383 px
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise UsageError(f"{path} cannot be written as {image.width}x{image.height} {kind}: {reason}") from error


def save_options(kind: str, quality: int) -> dict[str, Any]:
    """Return the options of Pillow's encoder for a format, such as JPEG."""
    return _OPTIONS.get(kind, {}) | ({"quality": quality} if kind in ("JPEG", "WEBP") else {})


def check_writable(path: Path) -> None:
    """Raise UsageError unless `path` ends in a suffix that `write` supports."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"{path} has no suffix that can be written; choose one of {', '.join(WRITABLE)}")


def format_of(path: Path) -> str | None:
    """Return the format that the suffix of `path` stands for, or None if it cannot be written."""
    return _FORMATS.get(path.suffix.lower())


def composite_over_white(image: Image.Image, alpha: NDArray[np.uint8]) -> None:
    """Change an RGB image to what it looks like over white, given its alpha [H, W]."""
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        transparency = Image.fromarray(255 - alpha[top : top + rows])
        image.paste("white", (0, top, image.width, top + transparency.height), transparency)


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, the same bytes in each run."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()  # fixed, so that two runs write the same bytes
    return profile[:24] + date + profile[36:]
