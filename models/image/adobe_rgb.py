"""Adobe RGB (1998) as an ICC profile, for photos that name it in their EXIF data alone."""

import struct

from PIL import ExifTags, Image, ImageCms

# Colorants in the profile connection space (D50) and the exponent, as in Adobe's specification (2005), section 4.3.
_COLORANTS = {
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
_GAMMA = 2.19921875
_HEADER = 128  # bytes of an ICC profile before the number of its tags


def is_named_by_exif(image: Image.Image) -> bool:
    """Whether the EXIF data name Adobe RGB: "uncalibrated" with the index R03 (DCF 2.0), or 2, as some cameras do."""
    try:
        exif = image.getexif()
        color_space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = str(exif.get_ifd(ExifTags.IFD.Interop).get(1, ""))
    except Exception:  # a tag may hold anything, and broken EXIF must not cost the picture
        return False
    return color_space == 2 or (color_space == 0xFFFF and index.startswith("R03"))


def profile() -> bytes:
    """Return an ICC profile: sRGB's with other colorants and tone curves."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack_from(">I", srgb, _HEADER)
    entries = (struct.unpack_from(">4sII", srgb, _HEADER + 4 + 12 * number) for number in range(count))
    tags = {name: srgb[start : start + size] for name, start, size in entries}
    for name, xyz in _COLORANTS.items():
        tags[name] = b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in xyz))
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        tags[name] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(_GAMMA * 256))
    table, body, start = struct.pack(">I", count), b"", _HEADER + 4 + 12 * count
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    return struct.pack(">I", start + len(body)) + srgb[4:_HEADER] + table + body
