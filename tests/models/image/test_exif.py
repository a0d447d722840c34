"""EXIF data: tags that are still true are carried over, the others are dropped."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from impasto.models.image.decode import read
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture
from tests.helpers.pictures import SRGB, swapped_profile

TAGS, IFD = ExifTags.Base, ExifTags.IFD
BEFORE = {
    TAGS.Make: "Phone",
    TAGS.DateTime: "2024:05:06 07:08:09",
    TAGS.XResolution: IFDRational(72),
    TAGS.Orientation: 6,
    TAGS.StripOffsets: 5,
}
CAMERA = {
    TAGS.ExposureTime: IFDRational(1, 125),
    TAGS.LensSpecification: (IFDRational(3, 2), IFDRational(6), IFDRational(0, 0), IFDRational(0, 0)),
    TAGS.UserComment: b"ASCII\0\0\0hello",
    TAGS.MakerNote: b"offsets" * 9,
    TAGS.ColorSpace: 65535,
    TAGS.ExifImageWidth: 30,
    TAGS.ExifImageHeight: 20,
}
LOCATION = {1: "N", 2: (IFDRational(47), IFDRational(3), IFDRational(1234, 100))}


def exif() -> bytes:
    data = Image.Exif()
    for tag, value in BEFORE.items():
        data[tag] = value
    data[IFD.Exif], data[IFD.GPSInfo] = CAMERA, LOCATION
    return data.tobytes()


def with_thumbnail() -> bytes:
    """Return the same data with a second IFD, that of a thumbnail."""
    data = bytearray(exif())
    start = len(b"Exif\0\0")
    order = "big" if data[start : start + 2] == b"MM" else "little"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    first = start + int.from_bytes(data[start + 4 : start + 8], order)  # type: ignore[arg-type]
    entries = int.from_bytes(data[first : first + 2], order)  # type: ignore[arg-type]
    link, end = first + 2 + 12 * entries, len(data) - start
    data[link : link + 4] = number(end, 4)
    fields = (0x0103, 6), (0x0201, end + 42), (0x0202, 4)
    body = b"".join(number(tag, 2) + number(4, 2) + number(1, 4) + number(value, 4) for tag, value in fields)
    return bytes(data) + number(len(fields), 2) + body + number(0, 4) + b"\xff\xd8\xff\xd9"


def written(tmp_path: Path, suffix: str, data: bytes, profile: bytes | None = None) -> Image.Exif:
    source = tmp_path / f"photo{suffix}"
    options: dict[str, Any] = {"icc_profile": profile} if profile else {}
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(source, exif=data, **options)
    write(read(source), tmp_path / f"output{suffix}", 95)
    with Image.open(tmp_path / f"output{suffix}") as image:
        assert image.size == (20, 30)
        return image.getexif()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_write_carries_a_phones_exif_data_over(tmp_path: Path, suffix: str) -> None:
    tags = written(tmp_path, suffix, with_thumbnail())
    assert {*tags} == {TAGS.Make, TAGS.DateTime, TAGS.XResolution, IFD.Exif, IFD.GPSInfo}
    assert tags[TAGS.Make] == "Phone"
    camera = tags.get_ifd(IFD.Exif)
    assert {*camera} == {*CAMERA} - {TAGS.MakerNote} and camera[TAGS.ExposureTime] == 1 / 125
    assert (camera[TAGS.ExifImageWidth], camera[TAGS.ExifImageHeight]) == (20, 30)  # it is upright now
    assert tags.get_ifd(IFD.GPSInfo) == LOCATION
    with Image.open(tmp_path / f"photo{suffix}") as image:
        assert image.getexif().get_ifd(IFD.IFD1)
    assert not tags.get_ifd(IFD.IFD1)


@pytest.mark.parametrize(("profile", "space"), [(None, 65535), (SRGB, 1), (swapped_profile(), 1)])
def test_write_updates_the_color_space_tag(tmp_path: Path, profile: bytes | None, space: int) -> None:
    assert written(tmp_path, ".jpg", exif(), profile).get_ifd(IFD.Exif)[TAGS.ColorSpace] == space


def test_write_tiff_omits_details(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "photo.tif", exif=exif())
    for suffix, details in ((".jpg", True), (".tif", False)):
        write(read(tmp_path / "photo.tif"), tmp_path / f"output{suffix}", 95)
        with Image.open(tmp_path / f"output{suffix}") as image:
            tags = image.getexif()
            assert tags[TAGS.Make] == "Phone" and (IFD.Exif in tags) == details
            assert image.size == (20, 30) and np.asarray(image).std() == 0


def test_write_jpeg_with_too_much_exif_drops_the_longest_tag(tmp_path: Path) -> None:
    data = Image.Exif()
    data[TAGS.Make], data[TAGS.ImageDescription] = "Phone", "x" * 30_000
    data[IFD.Exif] = CAMERA | {TAGS.UserComment: b"x" * 40_000}
    data[IFD.GPSInfo] = LOCATION
    picture = Picture(np.zeros((20, 30, 3), np.uint8), exif=data.tobytes())
    for suffix, whole in ((".jpg", False), (".png", True)):
        write(picture, tmp_path / f"output{suffix}", 95)
        with Image.open(tmp_path / f"output{suffix}") as image:
            tags = image.getexif()
        camera = tags.get_ifd(IFD.Exif)
        assert tags[TAGS.Make] == "Phone" and len(tags[TAGS.ImageDescription]) == 30_000
        assert camera[TAGS.ExposureTime] == 1 / 125 and tags.get_ifd(IFD.GPSInfo) == LOCATION
        assert (TAGS.UserComment in camera) == whole


def broken(tag: int, value: object) -> bytes:
    data = Image.Exif()
    data[tag] = value
    return data.tobytes()


@pytest.mark.parametrize(
    "data",
    [b"nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", exif()[:60], broken(TAGS.ImageDescription, "x" * 65_400)],
    ids=["words", "header", "torn", "long"],
)
@pytest.mark.filterwarnings("ignore")  # the commands silence Pillow, and here is none
def test_write_with_broken_or_too_long_exif_drops_it(tmp_path: Path, data: bytes) -> None:
    picture = Picture(np.zeros((20, 30, 3), np.uint8), exif=data)
    write(picture, tmp_path / "output.jpg", 95)
    with Image.open(io.BytesIO((tmp_path / "output.jpg").read_bytes())) as image:
        assert len(image.info.get("exif", b"")) < 100
