import io
import struct
import zlib

import numpy as np
import pytest

from impasto.models.image import header
from impasto.models.image.decode import read
from impasto.models.image.png import color_chunks, drop_damaged_color
from tests.helpers.pictures import png

ROWS = b"\0" + bytes([10, 20, 30, 40, 50, 60])
LINEAR = struct.pack(">I", 100_000)
PROFILE = b"name\0\0" + zlib.compress(bytes(200))


def with_wrong_checksum(chunks: dict[str, bytes], name: str) -> io.BytesIO:
    data = bytearray(png(2, 1, 8, 2, ROWS, **chunks).read())
    data[data.index(name.encode()) + 4 + len(chunks[name])] ^= 1
    return io.BytesIO(bytes(data))


@pytest.mark.parametrize("name", ["cICP", "iCCP", "sRGB", "cHRM", "gAMA"])
def test_drop_damaged_color_removes_a_chunk_with_a_wrong_checksum(name: str) -> None:
    intact = {"cICP": bytes([12, 13, 0, 1]), "iCCP": PROFILE, "sRGB": b"\0", "cHRM": bytes(32), "gAMA": LINEAR}
    file = with_wrong_checksum(intact, name)
    rest = {key: value for key, value in intact.items() if key != name}
    assert drop_damaged_color(file).read() == png(2, 1, 8, 2, ROWS, **rest).read()
    assert color_chunks(file) == {key.encode(): value for key, value in rest.items()}


def test_drop_damaged_color_returns_other_files_as_they_are() -> None:
    for file in (png(2, 1, 8, 2, ROWS, gAMA=LINEAR), io.BytesIO(b"GIF89a"), io.BytesIO(b"")):
        assert drop_damaged_color(file) is file and file.tell() == 0


def test_read_of_damaged_color_shows_the_pixels() -> None:
    file = with_wrong_checksum({"gAMA": LINEAR}, "gAMA")
    np.testing.assert_array_equal(read(file).rgb[0], [[10, 20, 30], [40, 50, 60]])
    file.seek(0)
    assert header.read(file, "a.png").width == 2


def test_color_chunks_after_the_palette_are_out_of_place() -> None:
    indexed = {"PLTE": bytes([9, 9, 9, 99, 99, 99]), "gAMA": LINEAR}
    file = png(2, 1, 8, 3, b"\0\0\1", **indexed)
    assert color_chunks(file) == {}
    np.testing.assert_array_equal(read(file).rgb[0], [[9] * 3, [99] * 3])


@pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1])
def test_color_chunks_of_impossible_length_are_void(length: int) -> None:
    data = png(2, 1, 8, 2, ROWS).read()
    file = io.BytesIO(data[:33] + struct.pack(">I", length) + b"iCCP" + data[33:])
    assert color_chunks(file) == {}
