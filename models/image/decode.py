"""Decode picture files to upright 8-bit sRGB, with alpha apart; no torch."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from impasto.models.image import color_space, exif, png, tiff
from impasto.models.image.picture import MAX_PIXELS, STRIP_PIXELS, Picture, UnreadablePicture

# The formats that photos come in. Pillow also has some that start programs (EPS) or lack a magic number (TGA).
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # of an ISO file's first box

_START_BYTES = 12  # of a file, which name its format

# How stored pixels become upright, by EXIF orientation (EXIF 2.3, table 6): swap the axes, then flip these.
_TRANSPOSED = (5, 6, 7, 8)
_FLIPPED_AXES = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}


def read(
    source: Path | BinaryIO, name: str | None = None, short_side: int | None = None, convert_colors: bool = True
) -> Picture:
    """Read the first frame of a picture file.

    Args:
        source: A path or an open file.
        name: The name for error messages; the path by default.
        short_side: Lets a JPEG decode at 1/2, 1/4 or 1/8 of its size, but never below this short side in px. The
            caller resizes to the exact size.
        convert_colors: Whether to convert to sRGB. Masks keep their values, which are weights and not colors.

    Raises:
        UnreadablePicture: The file cannot be opened, is damaged, or has an unsupported format.
    """
    name = name or str(source if isinstance(source, Path) else getattr(source, "name", "picture"))
    with open_binary(source, name) as file, open_image(file, name) as image:
        if short_side:
            image.draft(None, (short_side, short_side))
        image.load()
        if image.format == "TIFF":
            tiff.repair_palette(image)
        return _to_picture(image, color_space.converter(image, file) if convert_colors else None)


def from_image(image: Image.Image, name: str, convert_colors: bool = True) -> Picture:
    """Return the picture that a Pillow image shows, as if `read` had read it from its file.

    Args:
        image: The image, of any mode. Its ICC profile and EXIF orientation are applied.
        name: The name for error messages.
        convert_colors: Whether to convert to sRGB.

    Raises:
        UnreadablePicture: Its file is damaged, or it is too large.
    """
    with _reported(name):
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        image.load()
        return _to_picture(image, color_space.converter(image, io.BytesIO()) if convert_colors else None)


@contextmanager
def open_binary(source: Path | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Open a path for reading, or pass an open file through; raise UnreadablePicture."""
    if not isinstance(source, Path):
        yield source
        return
    try:
        if source.exists() and not (source.is_file() or source.is_dir()):  # to open a pipe is to wait for a writer
            raise UnreadablePicture(f"{name} is not a regular file; name a picture")
        with source.open("rb") as file:
            yield file
    except OSError as error:
        raise UnreadablePicture(f"{name} cannot be opened: {(error.strerror or str(error)).lower()}") from error


@contextmanager
def open_image(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    """Open a picture file with Pillow; any error inside the context becomes an UnreadablePicture."""
    with _reported(name, file):
        Image.init()
        start = file.read(_START_BYTES)
        file.seek(0)
        if _is_heif(start):
            _register_heif()
        kinds = [kind for kind in _FORMATS if kind in Image.OPEN]
        with Image.open(png.drop_damaged_color(file), formats=kinds) as image:
            if image.format == "TIFF":
                tiff.seek_picture(image)
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image


@contextmanager
def _reported(name: str, file: BinaryIO | None = None) -> Iterator[None]:
    """Turn any error of Pillow into an UnreadablePicture."""
    try:
        yield
    except UnidentifiedImageError as error:
        if file is None:
            raise UnreadablePicture(f"{name} is not a picture in a supported format") from error
        file.seek(0)
        raise UnreadablePicture(f"{name} {_unidentified(file.read(_START_BYTES))}") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        limit = f"{MAX_PIXELS // 10**6} megapixels or than the memory"
        raise UnreadablePicture(f"{name} is larger than {limit}; reduce its size") from error
    except Exception as error:  # a decoder may raise anything on damaged data
        reason = " ".join(str(error).split())
        raise UnreadablePicture(f"{name} is damaged, or an unknown variant of its format: {reason}") from error


def _unidentified(start: bytes) -> str:
    """Describe a file that no decoder takes, by its first bytes."""
    if not start:
        return "is empty"
    if _is_heif(start):
        return "is a damaged HEIC picture"
    if start[:4] in (b"II*\0", b"MM\0*"):
        return "is a TIFF of a kind that cannot be read; convert it to 8 or 16 bits"
    return "is not a picture in a supported format (JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP, GIF, PPM)"


def _is_heif(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


@lru_cache(maxsize=1)
def _register_heif() -> None:
    """Let Pillow decode HEIC, the default of iPhones."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def quiet_pillow() -> None:
    """Silence Pillow's log and warnings about odd EXIF, TIFF tags and sizes; decoding repairs or reports these itself.

    This changes the logger and the warnings filters of the process, so the commands call it, and nothing else.
    """
    warnings.filterwarnings("ignore", module=r"PIL\b")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _to_picture(image: Image.Image, to_srgb: color_space.Converter | None) -> Picture:
    """Convert in strips: Pillow takes 4 bytes a pixel, and each conversion makes a copy."""
    orientation, size = _orientation(image), (image.height, image.width)
    shape = size[::-1] if orientation in _TRANSPOSED else size
    rgb, alpha, managed = np.empty((*shape, 3), np.uint8), None, None
    white = _white_level(image) if _is_deep(image) else 0.0
    inverted = tiff.counts_from_white(image)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        single = rows >= image.height
        part = image if single else image.crop((0, top, image.width, bottom))
        base, strip_alpha = _split_alpha(part, white, inverted)
        managed = to_srgb(base) if to_srgb else None
        strip = managed or (base if base.mode == "RGB" else base.convert("RGB"))
        _stored_view(rgb, orientation)[top:bottom] = np.asarray(strip)
        if strip_alpha is not None:
            alpha = np.empty(shape, np.uint8) if alpha is None else alpha
            _stored_view(alpha, orientation)[top:bottom] = np.asarray(strip_alpha)
    opaque = alpha is None or alpha.min() == 255
    return Picture(rgb, None if opaque else alpha, managed is not None, exif.read(image))


def _split_alpha(image: Image.Image, white: float, inverted: bool) -> tuple[Image.Image, Image.Image | None]:
    """Return the colors in 8-bit L, RGB, CMYK or LAB, and alpha."""
    if _is_deep(image):
        return _to_eight_bits(image, white, inverted)
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _is_deep(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _white_level(image: Image.Image) -> float:
    """Return full scale: 65535, or 4095 for a 12-bit TIFF; 1 or 255 for floats; the maximum where it exceeds these."""
    rows = max(1, STRIP_PIXELS // image.width)
    strips = (image.crop((0, top, image.width, min(top + rows, image.height))) for top in range(0, image.height, rows))
    highest = max(float(_values(strip).max()) for strip in strips)
    bits = getattr(image, "tag_v2", {}).get(258, (16,))[0]
    scales = (1.0, 255.0) if image.mode == "F" else (4095.0 if bits == 12 else 65535.0,)
    return next((scale for scale in scales if highest <= scale), highest)


def _to_eight_bits(image: Image.Image, white: float, inverted: bool) -> tuple[Image.Image, Image.Image | None]:
    values = _values(image)
    gray = np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
    if inverted:
        gray = 255 - gray
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.fromarray(gray), alpha


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)


def _stored_view(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view of upright pixels in the order in which a file of that EXIF orientation stores them."""
    flipped = np.flip(upright, _FLIPPED_AXES.get(orientation, ()))
    return flipped.swapaxes(0, 1) if orientation in _TRANSPOSED else flipped


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the pixels are intact even where the EXIF data are broken
        return 1
