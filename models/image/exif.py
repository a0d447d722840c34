"""Carry EXIF data from a photo to the picture made from it."""

from typing import Any

from PIL import ExifTags, Image

_TAGS, _IFD = ExifTags.Base, ExifTags.IFD
# Most tags of a TIFF file describe its layout. These describe the photo, its date and its author.
_DESCRIPTIVE = {
    *(_TAGS.ImageDescription, _TAGS.Make, _TAGS.Model, _TAGS.Software, _TAGS.DateTime, _TAGS.Artist, _TAGS.Copyright),
    *(_TAGS.HostComputer, _TAGS.XResolution, _TAGS.YResolution, _TAGS.ResolutionUnit, _TAGS.Rating),
    *(_TAGS.RatingPercent, _TAGS.XPTitle, _TAGS.XPComment, _TAGS.XPAuthor, _TAGS.XPKeywords, _TAGS.XPSubject),
}
_SRGB = 1  # the value of ColorSpace
MAX_JPEG_BYTES = 65_000  # a JPEG segment holds 65,533 bytes in all


def for_output(
    exif: bytes, width: int, height: int, converted: bool, details: bool, max_bytes: int | None = None
) -> bytes:
    """Return the EXIF data of a photo that are still true of an upright picture made from it.

    Orientation and thumbnail are dropped, as are the maker notes, whose offsets break when they are moved.

    Args:
        exif: The photo's EXIF data.
        width: The picture's width in px.
        height: The picture's height in px.
        converted: Whether the colors were converted to sRGB.
        details: Whether to include exposure and location; otherwise only the descriptive tags.
        max_bytes: Limit for the result; the longest tags are dropped until it fits.

    Returns:
        EXIF data, empty where nothing remains or the data are broken.
    """
    try:
        source = Image.Exif()
        source.load(exif)
        main: dict[int, Any] = {tag: source[tag] for tag in _DESCRIPTIVE & {*source}}
        camera: dict[int, Any] = {}
        location: dict[int, Any] = {}
        if details:
            camera, location = {**source.get_ifd(_IFD.Exif)}, {**source.get_ifd(_IFD.GPSInfo)}
            for tag in (_TAGS.MakerNote, _TAGS.ExifInteroperabilityOffset):
                camera.pop(tag, None)
            updates = {_TAGS.ExifImageWidth: width, _TAGS.ExifImageHeight: height}
            if converted:
                updates[_TAGS.ColorSpace] = _SRGB
            camera |= {tag: value for tag, value in updates.items() if tag in camera}
        while len(data := _serialize(main, camera, location)) > (max_bytes or len(data)):
            longest, tags = max(
                ((tag, tags) for tags in (main, camera, location) for tag in tags),
                key=lambda one: _length(one[1][one[0]]),
            )
            del tags[longest]
        return data
    except Exception:  # a tag may hold anything, and broken EXIF must not cost the picture
        return b""


def for_format(exif: bytes, width: int, height: int, converted: bool, kind: str) -> bytes:
    """Return what `for_output` returns, as far as a file of this format can hold it."""
    # libtiff, which compresses TIFF files, cannot write the IFD of details.
    return for_output(exif, width, height, converted, kind != "TIFF", MAX_JPEG_BYTES if kind == "JPEG" else None)


def read(image: Image.Image) -> bytes | None:
    """Return the EXIF data of an opened file, unchanged."""
    data = image.info.get("exif")
    if isinstance(data, bytes):
        return data
    try:  # a TIFF file has no separate EXIF block
        return image.getexif().tobytes() if image.format == "TIFF" else None
    except Exception:  # Pillow's parser raises anything on broken tags, which must not cost the picture
        return None


def _length(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str | tuple) else 1


def _serialize(main: dict[int, Any], camera: dict[int, Any], location: dict[int, Any]) -> bytes:
    output = Image.Exif()
    for tag, value in (main | {_IFD.Exif: camera, _IFD.GPSInfo: location}).items():
        if value != {}:
            output[tag] = value
    return output.tobytes() if {*output} else b""
