"""Find the color space of a picture file, and what converts it to sRGB.

The order is that of browsers. PNG: cICP, iCCP, sRGB, cHRM with gAMA (PNG, third edition, 4.3). AVIF and HEIC: the ICC
profile, then nclx. Last comes Adobe RGB by EXIF data, which cameras write into JPEG files.
"""

import struct
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from impasto.models.image import icc_profile, png
from impasto.models.image.primaries import ADOBE_RGB, BT709, BY_CODE, Primaries
from impasto.models.image.tone_map import HLG, PQ, ToneMap

_ADOBE_GAMMA = 2.19921875  # Adobe RGB (1998), section 4.3.4
_UNSPECIFIED = 2  # in H.273, of primaries and of transfers
# Exponents by transfer characteristics (H.273, table 3). None is sRGB's curve, which the curve of BT.709 (1, 6, 14, 15)
# counts as: browsers and `stylize` show videos so.
_GAMMAS = {1: None, 6: None, 13: None, 14: None, 15: None, 4: 2.2, 5: 2.8, 8: 1.0}
_AVIF_HEAD = 1 << 16  # bytes that hold the description of an AVIF picture, which precedes its pixels
_GAMMA_CHUNK = range(16, 625_000_001)  # the values, in 1/100,000, that libpng takes
# libpng's tolerances (PNG_GAMMA_THRESHOLD_FIXED, and that for the end points of sRGB).
_GAMMA_TOLERANCE, _PRIMARIES_TOLERANCE = 0.05, 0.01


class ColorSpace(NamedTuple):
    """An RGB color space.

    Attributes:
        primaries: The primaries.
        gamma: The exponent from values to light; None stands for sRGB's curve.
        hdr: PQ or HLG, in place of `gamma`.
    """

    primaries: Primaries
    gamma: float | None = None
    hdr: int | None = None


_SRGB = ColorSpace(BT709)
Converter = Callable[[Image.Image], Image.Image | None]


def converter(image: Image.Image, file: BinaryIO) -> Converter | None:
    """Return the function that converts to sRGB, or None for a picture in sRGB or in an unknown space.

    Args:
        image: The loaded picture.
        file: Its file.

    Returns:
        A function of a picture or of a strip of it. It returns None where an ICC profile is unusable.
    """
    space = _find(image, file)
    if space is None or space == _SRGB:
        return None
    if isinstance(space, bytes):
        return partial(icc_profile.to_srgb, profile=space)
    if space.hdr:
        return partial(_map_tones, ToneMap(space.hdr, space.primaries))
    return partial(icc_profile.to_srgb, profile=icc_profile.build(space.primaries, space.gamma))


def _find(image: Image.Image, file: BinaryIO) -> bytes | ColorSpace | None:
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) and profile else None
    space: ColorSpace | None = None
    if image.format == "PNG":
        chunks = png.color_chunks(file)
        found = _from_cicp(chunks) or profile or _from_older_chunks(chunks)
        if found:
            return found
    elif image.format == "HEIF":
        nclx: dict[str, Any] = image.info.get("nclx_profile") or {}
        space = _from_codes(nclx.get("color_primaries"), nclx.get("transfer_characteristics"))
    elif image.format == "AVIF":
        space = _from_avif(file)
    if profile or space:
        return profile or space
    return ColorSpace(ADOBE_RGB, _ADOBE_GAMMA) if image.mode == "RGB" and _is_adobe_by_exif(image) else None


def _from_codes(primaries: int | None, transfer: int | None) -> ColorSpace | None:
    """Return the color space of code points of H.273; None where a code is unknown or both are unspecified."""
    if primaries == transfer == _UNSPECIFIED:
        return None
    primaries, transfer = 1 if primaries == _UNSPECIFIED else primaries, 13 if transfer == _UNSPECIFIED else transfer
    if primaries not in BY_CODE or transfer not in (PQ, HLG, *_GAMMAS):
        return None
    if transfer in (PQ, HLG):
        return ColorSpace(BY_CODE[primaries], hdr=transfer)
    return ColorSpace(BY_CODE[primaries], _GAMMAS[transfer])


def _from_cicp(chunks: dict[bytes, bytes]) -> ColorSpace | None:
    """Read cICP; a matrix or values of narrow range, which PNG has no pixels for, make it void."""
    primaries, transfer, matrix, full_range = chunks.get(b"cICP", bytes(4))
    return _from_codes(primaries, transfer) if (matrix, full_range) == (0, 1) else None


def _from_older_chunks(chunks: dict[bytes, bytes]) -> ColorSpace | None:
    """Read sRGB, or cHRM and gAMA; one of the latter alone leaves the other as in sRGB."""
    if chunks.get(b"sRGB", b"\xff")[0] <= 3:  # rendering intents
        return _SRGB
    primaries, exponent = BT709, None
    if b"cHRM" in chunks:
        points = np.reshape(struct.unpack(">8I", chunks[b"cHRM"]), (4, 2)) / 100_000
        stored = Primaries(*((float(x), float(y)) for x, y in points))
        primaries = stored if stored.is_valid else BT709
    if b"gAMA" in chunks:
        (gamma,) = struct.unpack(">I", chunks[b"gAMA"])
        exponent = 100_000 / gamma if gamma in _GAMMA_CHUNK else None
    if primaries.is_close_to(BT709, _PRIMARIES_TOLERANCE):
        primaries = BT709
        if exponent and abs(exponent / 2.2 - 1) <= _GAMMA_TOLERANCE:
            exponent = None
    return ColorSpace(primaries, exponent) if {b"cHRM", b"gAMA"} & {*chunks} else None


def _from_avif(file: BinaryIO) -> ColorSpace | None:
    """Read the nclx box, which Pillow does not show; None where several differ."""
    file.seek(0)
    head = file.read(_AVIF_HEAD).partition(b"mdat")[0]
    codes = {struct.unpack_from(">HH", box) for box in head.split(b"colrnclx")[1:] if len(box) >= 4}
    return _from_codes(*codes.pop()) if len(codes) == 1 else None


def _is_adobe_by_exif(image: Image.Image) -> bool:
    """Whether the EXIF data name Adobe RGB: "uncalibrated" with the index R03 (DCF 2.0), or 2, as some cameras do."""
    try:
        exif = image.getexif()
        color_space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = str(exif.get_ifd(ExifTags.IFD.Interop).get(1, ""))
    except Exception:  # a tag may hold anything, and broken EXIF must not cost the picture
        return False
    return color_space == 2 or (color_space == 0xFFFF and index.startswith("R03"))


def _map_tones(tone_map: ToneMap, base: Image.Image) -> Image.Image:
    return Image.fromarray(tone_map(np.asarray(base.convert("RGB"))))
