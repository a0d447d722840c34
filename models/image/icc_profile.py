"""Convert pictures with ICC profiles to sRGB, and build profiles for color spaces that a file names otherwise."""

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from impasto.models.image.primaries import D50, Primaries

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # picture modes by a profile's color space
_HEADER = 128  # bytes of an ICC profile before the number of its tags


def to_srgb(base: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert to sRGB; return None where the profile is broken or belongs to another color mode."""
    try:
        mode, transform = _transform(profile)
        if base.mode == "L" and mode == "RGB":
            base = base.convert("RGB")
        if base.mode != mode:
            return None
        return base.convert("RGB") if transform is None else transform.apply(base)
    except (ImageCms.PyCMSError, KeyError, OSError, ValueError):
        return None


@lru_cache(maxsize=16)  # the photos of a folder share a few profiles
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Return the profile's color mode and its transform to sRGB, which is None where the profile is sRGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = _MODES[source.profile.xcolor_space.strip()]
    # Relative colorimetric with black point compensation, as Adobe's programs open pictures.
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
    if mode in ("RGB", "L"):
        # A profile that changes no color by more than one level counts as sRGB: its pixels stay exactly as they are.
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        probe = Image.fromarray(cube if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
        converted = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
        if np.abs(converted).max() <= 1:
            return mode, None
    return mode, transform


@lru_cache(maxsize=16)
def build(primaries: Primaries, gamma: float | None) -> bytes:
    """Return an ICC profile: sRGB's with other colorants and tone curves.

    Args:
        primaries: The primaries; they must be valid.
        gamma: The exponent from values to light, or None for sRGB's curve.
    """
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack_from(">I", srgb, _HEADER)
    entries = (struct.unpack_from(">4sII", srgb, _HEADER + 4 + 12 * number) for number in range(count))
    tags = {name: srgb[start : start + size] for name, start, size in entries}
    for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.to_xyz(D50).T, strict=True):
        tags[name] = b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in xyz))
    if gamma is not None:
        curve = b"para" + struct.pack(">IHHi", 0, 0, 0, round(gamma * 65536))
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, start = struct.pack(">I", count), b"", _HEADER + 4 + 12 * count
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    return struct.pack(">I", start + len(body)) + srgb[4:_HEADER] + table + body
