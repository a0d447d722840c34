"""What of a photo's EXIF data stays true of a picture that is made from it."""

from typing import Any

from PIL import ExifTags, Image

_TAGS, _IFD = ExifTags.Base, ExifTags.IFD
# Of a TIFF file most tags say where its strips lie; so these alone, which say what a photo is of, when and by whom.
_KEPT = {
    *(_TAGS.ImageDescription, _TAGS.Make, _TAGS.Model, _TAGS.Software, _TAGS.DateTime, _TAGS.Artist, _TAGS.Copyright),
    *(_TAGS.HostComputer, _TAGS.XResolution, _TAGS.YResolution, _TAGS.ResolutionUnit, _TAGS.Rating),
    *(_TAGS.RatingPercent, _TAGS.XPTitle, _TAGS.XPComment, _TAGS.XPAuthor, _TAGS.XPKeywords, _TAGS.XPSubject),
}
_SRGB = 1  # the value of ColorSpace
IN_JPEG = 65_000  # bytes; a JPEG file holds 65,533 in all


def carried(exif: bytes, width: int, height: int, converted: bool, details: bool, most: int | None = None) -> bytes:
    """The EXIF data for an upright picture of that size, made from a photo with `exif`; empty where there are none.

    Left out are what the pixels no longer are (orientation, thumbnail) and the maker's notes, whose offsets point
    nowhere once they are moved. `converted` says that the colours were brought to sRGB. Without `details` (exposure,
    place) only what, when and by whom. Broken data are left out, and the longest where all take over `most` bytes.
    """
    try:
        source = Image.Exif()
        source.load(exif)
        photo: dict[int, Any] = {tag: source[tag] for tag in _KEPT & {*source}}
        camera: dict[int, Any] = {}
        place: dict[int, Any] = {}
        if details:
            camera, place = {**source.get_ifd(_IFD.Exif)}, {**source.get_ifd(_IFD.GPSInfo)}
            for tag in (_TAGS.MakerNote, _TAGS.ExifInteroperabilityOffset):
                camera.pop(tag, None)
            new = {_TAGS.ExifImageWidth: width, _TAGS.ExifImageHeight: height}
            if converted:
                new[_TAGS.ColorSpace] = _SRGB
            camera |= {tag: value for tag, value in new.items() if tag in camera}
        while len(data := _packed(photo, camera, place)) > (most or len(data)):
            longest, tags = max(
                ((tag, tags) for tags in (photo, camera, place) for tag in tags),
                key=lambda one: _length(one[1][one[0]]),
            )
            del tags[longest]
        return data
    except Exception:  # a tag may hold anything, and no photo is lost for it
        return b""


def _length(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str | tuple) else 1


def _packed(photo: dict[int, Any], camera: dict[int, Any], place: dict[int, Any]) -> bytes:
    made = Image.Exif()
    for tag, value in (photo | {_IFD.Exif: camera, _IFD.GPSInfo: place}).items():
        if value != {}:
            made[tag] = value
    return made.tobytes() if {*made} else b""


def of(image: Image.Image) -> bytes | None:
    """The EXIF data of an opened file, as they are."""
    found = image.info.get("exif")
    if isinstance(found, bytes):
        return found
    try:  # a TIFF file has no block of its own for them
        return image.getexif().tobytes() if image.format == "TIFF" else None
    except Exception:  # as above
        return None
