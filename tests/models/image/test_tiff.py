import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.models.image import header
from impasto.models.image.decode import read
from impasto.models.image.picture import UnreadablePicture

RAMP = np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8)
SHORT, LONG = 3, 4  # types of TIFF 6.0
Tags = dict[int, tuple[int, list[int]]]


def page(pixels: NDArray[np.generic], bits: list[int], photometric: int, **more: tuple[int, list[int]]) -> Tags:
    """The tags of an uncompressed page; `more` by number, as t254."""
    height, width = pixels.shape[:2]
    tags: Tags = {256: (SHORT, [width]), 257: (SHORT, [height]), 258: (SHORT, bits), 262: (SHORT, [photometric])}
    tags |= {277: (SHORT, [len(bits)]), 278: (SHORT, [height]), 259: (SHORT, [1])}
    return tags | {int(name[1:]): value for name, value in more.items()}


def write(path: Path, *pages: tuple[Tags, bytes]) -> Path:
    """Write a little-endian TIFF file."""
    output, link = bytearray(b"II*\0\0\0\0\0"), 4
    for tags, data in pages:
        own = tags | {273: (LONG, [len(output)]), 279: (LONG, [len(data)])}
        output += data + bytes(len(data) % 2)
        entries = b""
        for tag, (kind, values) in sorted(own.items()):
            raw = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
            if len(raw) > 4:
                output += raw + bytes(len(raw) % 2)
                raw = struct.pack("<I", len(output) - len(raw) - len(raw) % 2)
            entries += struct.pack("<HHI", tag, kind, len(values)) + raw.ljust(4, b"\0")
        struct.pack_into("<I", output, link, len(output))
        output += struct.pack("<H", len(own)) + entries
        link = len(output)
        output += bytes(4)
    path.write_bytes(output)
    return path


def test_read_16_bits_that_count_from_white(tmp_path: Path) -> None:
    values = (65535 - RAMP.astype("<u2") * 257).astype("<u2")
    picture = read(write(tmp_path / "a.tif", (page(RAMP, [16], 0), values.tobytes())))
    np.testing.assert_array_equal(picture.rgb[..., 0], RAMP)


@pytest.mark.parametrize("factor", [1, 257])
def test_read_palette_of_8_or_16_bits(tmp_path: Path, factor: int) -> None:
    colors = [[index * factor for index in range(256)], [(255 - index) * factor for index in range(256)], [9] * 256]
    tags = page(RAMP, [8], 3, t320=(SHORT, [value for channel in colors for value in channel]))
    picture = read(write(tmp_path / "a.tif", (tags, RAMP.tobytes())))
    np.testing.assert_array_equal(picture.rgb[..., 0], RAMP)
    np.testing.assert_array_equal(picture.rgb[..., 1], 255 - RAMP)


def test_read_thumbnail_in_front_is_not_the_picture(tmp_path: Path) -> None:
    small = np.full((3, 4), 128, np.uint8)
    pages = (page(small, [8], 1, t254=(LONG, [1])), small.tobytes()), (page(RAMP, [8], 1), RAMP.tobytes())
    path = write(tmp_path / "a.tif", *pages)
    np.testing.assert_array_equal(read(path).rgb[..., 0], RAMP)
    assert (header.read(path).width, header.read(path).height) == (8, 6)
    only = write(tmp_path / "b.tif", pages[0])
    np.testing.assert_array_equal(read(only).rgb[..., 0], small)


def test_read_kind_that_no_decoder_takes_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", (page(RAMP, [8], 9), RAMP.tobytes()))
    with pytest.raises(UnreadablePicture, match=r"a.tif is a TIFF of a kind that cannot be read; convert it"):
        read(path)
