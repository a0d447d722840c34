"""The one place that reads and writes picture files: sRGB, upright, 8 bits, alpha kept aside. No torch here."""

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from impasto.configs.errors import RequestError
from impasto.models import metadata
from impasto.models.files import aside

_OTHERS = (".heic", ".heif", ".jxl", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm")
MAX_PIXELS = 178_956_970  # where Pillow itself refuses: 2 x 89 MP, half a gigabyte of RGB once decoded

# Only formats that a photo comes in; Pillow also knows some that start programs (EPS) or have no magic number (TGA).
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
_STRIP = 1 << 21  # pixels that are converted at once, so that a picture of MAX_PIXELS takes less than 2 GB
_FLIPPED = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}  # by EXIF orientation, after the
_SWAPPED = (5, 6, 7, 8)  # exchange of height and width: what brings a picture upright (EXIF 2.3, table 6)
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # of pictures, by the colour space of a profile
_WRITTEN = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
# JPEG in 4:4:4, since brush strokes have edges in colour alone; WebP keeps the colours under full transparency.
_OPTIONS: Any = {"JPEG": {"subsampling": 0}, "WEBP": {"exact": True}, "TIFF": {"compression": "tiff_deflate"}}
WRITABLE = tuple(_WRITTEN)

# What Pillow mutters about odd EXIF, TIFF tags or sizes is either repaired here or said in our own sentence.
warnings.filterwarnings("ignore", module=r"PIL\b")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class UnreadablePicture(RequestError):  # noqa: N818 - named for what it is, as its parent's message says the rest
    """A picture that cannot be read; its message is one sentence that names the file."""


@dataclass(frozen=True)
class Picture:
    """A picture as it is seen: `rgb` [H, W, 3] sRGB and upright, `alpha` [H, W] or None where all is opaque.

    `exif` are the data of its file, as they were there: of them `write` takes what is still true.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    had_profile: bool = False
    exif: bytes | None = None


def read(source: Path | BinaryIO, name: str | None = None, short_side: int | None = None) -> Picture:
    """Read the first frame of a picture file, or raise UnreadablePicture.

    `short_side` lets a JPEG decode at 1/2, 1/4 or 1/8, never below that short side: the caller resizes exactly.
    """
    name = name or str(source if isinstance(source, Path) else getattr(source, "name", "picture"))
    with stream(source, name) as file:
        return _read(file, name, short_side)


@contextmanager
def stream(source: Path | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A file to read, opened here if it is a path; raises UnreadablePicture."""
    if not isinstance(source, Path):
        yield source
        return
    try:
        with source.open("rb") as file:
            yield file
    except OSError as error:
        raise UnreadablePicture(f"{name} cannot be opened: {(error.strerror or str(error)).lower()}") from error


def write(picture: Picture, path: Path, quality: int) -> None:
    """Write a picture in the format of its suffix, whole or not at all, or raise RequestError; makes the folder.

    `quality` 1..100 is of JPEG (4:4:4) and WebP. Where the format has no alpha, the picture is laid over white.
    """
    check_writable(path)
    kind = _WRITTEN[path.suffix.lower()]
    options: dict[str, Any] = dict(_OPTIONS.get(kind, {}))
    if kind in ("JPEG", "WEBP"):
        options["quality"] = quality
    if picture.had_profile:
        options["icc_profile"] = _srgb_profile()
    image = Image.fromarray(picture.rgb)
    if picture.exif:  # libtiff, which compresses TIFF files, writes no IFD of details
        most = metadata.IN_JPEG if kind == "JPEG" else None
        options["exif"] = metadata.carried(picture.exif, *image.size, picture.had_profile, kind != "TIFF", most)
    if picture.alpha is not None:
        if kind == "JPEG":
            _lay_over_white(image, picture.alpha)
        else:
            image.putalpha(Image.fromarray(picture.alpha))
    del picture  # where nobody else holds it, its pixels go now: Pillow has its own, of 4 bytes
    encoded = io.BytesIO()  # Pillow itself takes a file for whole of which a full disk took only the beginning
    try:
        image.save(encoded, kind, **options)
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside(path) as part:  # hidden: find_pictures never sees it
            part.write_bytes(encoded.getbuffer())
    except (OSError, ValueError) as error:  # ValueError: WebP's 16383 px
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise RequestError(f"{path} cannot be written as {image.width}x{image.height} {kind}: {reason}") from error


def _lay_over_white(image: Image.Image, alpha: NDArray[np.uint8]) -> None:
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        clear = Image.fromarray(255 - alpha[top : top + rows])
        image.paste("white", (0, top, image.width, top + clear.height), clear)


def check_writable(path: Path) -> None:
    """Raise RequestError unless `path` ends in a suffix that `write` knows."""
    if path.suffix.lower() not in _WRITTEN:
        raise RequestError(f"{path} does not end in a suffix that we write; choose one of {', '.join(WRITABLE)}")


def format_of(path: Path) -> str | None:
    """The format that a file of this suffix is written in; None where we write none."""
    return _WRITTEN.get(path.suffix.lower())


def resize(pixels: NDArray[np.uint8], size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Resize [H, W] or [H, W, 3] to a short side, or to (height, width), by Lanczos with antialiasing."""
    height, width = pixels.shape[:2]
    if isinstance(size, int):
        short = min(height, width)
        size = (max(1, round(height * size / short)), max(1, round(width * size / short)))
    if size == (height, width):
        return pixels
    # reducing_gap: a box filter does the coarse part of a large reduction; at 3 the eye sees no difference (Pillow)
    image = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(image)


def find_pictures(folder: Path) -> list[Path]:
    """List the pictures under a folder by suffix, sorted, or raise RequestError if it cannot be listed.

    Follows links, visits each folder once, and leaves out hidden files and folders, and what is no plain file.
    """
    return look_for_pictures(folder)[0]


def look_for_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """The same, and a sentence on each picture or folder under it that cannot be read, as far as its name tells."""
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise RequestError(f"{folder} is no folder that can be listed: {(error.strerror or '').lower()}") from error
    found, unread, visited = [], list[str](), set()

    def refused(error: OSError) -> None:
        unread.append(f"{error.filename} is no folder that can be listed: {(error.strerror or '').lower()}")

    for root, folders, files in os.walk(folder, onerror=refused, followlinks=True):
        here = Path(root)
        real = here.resolve()
        if real in visited:  # a link back up
            folders.clear()
            continue
        visited.add(real)
        # Real folders first, so that a link beside its target does not claim the target's pictures.
        folders[:] = sorted((f for f in folders if f[0] != "."), key=lambda f: ((here / f).is_symlink(), f))
        for path in sorted(here / file for file in files if file[0] != "."):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                found.append(path)
            elif path.suffix.lower() in SUFFIXES and path.is_symlink():
                unread.append(f"{path} is a link to nothing")
            elif path.suffix.lower() in _OTHERS:
                unread.append(f"{path} is of a kind that we do not read; make a JPEG of it")
    return sorted(found), unread


def _read(file: BinaryIO, name: str, short_side: int | None) -> Picture:
    with opened(file, name) as image:
        if short_side:
            image.draft(None, (short_side, short_side))
        image.load()
        return _picture(image)


@contextmanager
def opened(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    """A picture file whose header was read; whatever goes wrong with it becomes an UnreadablePicture."""
    try:
        Image.init()
        with Image.open(file, formats=[kind for kind in _FORMATS if kind in Image.OPEN]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except UnidentifiedImageError as error:
        file.seek(0)
        fault = "is not a picture of a kind that we read (JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, PPM)"
        raise UnreadablePicture(f"{name} {fault if file.read(1) else 'is empty'}") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        limit = f"{MAX_PIXELS // 10**6} megapixels or than the memory"
        raise UnreadablePicture(f"{name} is larger than {limit}; make it smaller") from error
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        raise UnreadablePicture(
            f"{name} is damaged, or of an unknown variant: {' '.join(str(error).split())}"
        ) from error


def _picture(image: Image.Image) -> Picture:
    """The pixels, strip by strip: Pillow holds 4 bytes for each, and every step on the way makes a copy."""
    profile = image.info.get("icc_profile")
    turn, size = _orientation(image), (image.height, image.width)
    shape = size[::-1] if turn in _SWAPPED else size
    rgb, alpha, managed = np.empty((*shape, 3), np.uint8), None, None
    white = _white(image) if _is_deep(image) else 0.0
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        whole = rows >= image.height
        base, clear = _split(image if whole else image.crop((0, top, image.width, bottom)), white)
        managed = _to_srgb(base, profile) if isinstance(profile, bytes) and profile else None
        strip = managed or (base if base.mode == "RGB" else base.convert("RGB"))
        _lying(rgb, turn)[top:bottom] = np.asarray(strip)
        if clear is not None:
            alpha = np.empty(shape, np.uint8) if alpha is None else alpha
            _lying(alpha, turn)[top:bottom] = np.asarray(clear)
    opaque = alpha is None or alpha.min() == 255
    return Picture(rgb, None if opaque else alpha, managed is not None, metadata.of(image))


def _split(image: Image.Image, white: float) -> tuple[Image.Image, Image.Image | None]:
    """The colours, as L, RGB, CMYK or LAB of 8 bits, and alpha."""
    if _is_deep(image):
        return _eight_bits(image, white)
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


def _white(image: Image.Image) -> float:
    """Full scale: all 16 bits, or 12 where a TIFF says so; a float's 1 or 255; what exceeds that, its own maximum."""
    rows = max(1, _STRIP // image.width)
    strips = (image.crop((0, top, image.width, min(top + rows, image.height))) for top in range(0, image.height, rows))
    highest = max(float(_values(strip).max()) for strip in strips)
    bits = getattr(image, "tag_v2", {}).get(258, (16,))[0]
    scales = (1.0, 255.0) if image.mode == "F" else (4095.0 if bits == 12 else 65535.0,)
    return next((scale for scale in scales if highest <= scale), highest)


def _eight_bits(image: Image.Image, white: float) -> tuple[Image.Image, Image.Image | None]:
    values = _values(image)
    grey = np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.fromarray(grey), alpha


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)


def _lying(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A view of upright pixels as they lie in a file of that EXIF orientation."""
    turned = np.flip(upright, _FLIPPED.get(orientation, ()))
    return turned.swapaxes(0, 1) if orientation in _SWAPPED else turned


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF takes nothing from the pixels
        return 1


def _to_srgb(base: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture in sRGB; None where the profile is broken or of another kind of picture."""
    try:
        own, transform = _transform(profile)
        if base.mode == "L" and own == "RGB":
            base = base.convert("RGB")
        if base.mode != own:
            return None
        return base.convert("RGB") if transform is None else transform.apply(base)
    except (ImageCms.PyCMSError, KeyError, OSError, ValueError):
        return None


@lru_cache(maxsize=16)  # a folder of photos has a handful of profiles
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode of the profile's pictures, and their way to sRGB; None where they are sRGB already."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    own = _MODES[source.profile.xcolor_space.strip()]
    # Relative colorimetric with black point compensation: what Adobe's programs do when they open a picture.
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), own, "RGB", intent, flags)
    if own in ("RGB", "L"):
        # A profile that moves no colour by more than a level is sRGB: leave its pixels exactly as they are.
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        probe = Image.fromarray(cube if own == "RGB" else np.arange(256, dtype=np.uint8)[None])
        moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
        if np.abs(moved).max() <= 1:
            return own, None
    return own, transform


@lru_cache(maxsize=1)
def _srgb_profile() -> bytes:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return (
        made[:24] + np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes() + made[36:]
    )  # else two runs differ by their date
