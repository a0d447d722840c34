"""Picture files made for the tests: odd modes, profiles, headers that lie."""

import io
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def corners(height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """A picture whose quarters are red, green, blue and white: no turn or flip maps it onto itself."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2], rgb[: height // 2, width // 2 :] = RED, GREEN
    rgb[height // 2 :, : width // 2], rgb[height // 2 :, width // 2 :] = BLUE, WHITE
    return rgb


def encoded(image: Image.Image, kind: str, **options: Any) -> BinaryIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file


def png(width: int, height: int, depth: int, colour: int, rows: bytes, **chunks: bytes) -> BinaryIO:
    """A PNG file from its parts, for what Pillow does not write."""

    def chunk(kind: str, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind.encode() + data + struct.pack(">I", zlib.crc32(kind.encode() + data))

    header = chunk("IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    extra = b"".join(chunk(kind, data) for kind, data in chunks.items())
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + extra + chunk("IDAT", zlib.compress(rows)) + chunk("IEND", b""))


def png16(values: NDArray[np.uint16], colour: int, **chunks: bytes) -> BinaryIO:
    height, width = values.shape[:2]
    return png(width, height, 16, colour, b"".join(b"\0" + row.astype(">u2").tobytes() for row in values), **chunks)


def profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile from its tags."""
    header = bytearray(SRGB[:128])
    header[8:12], header[12:16], header[16:20], header[20:24] = b"\x02\x40\0\0", kind, space, connection
    offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header[0:4] = struct.pack(">I", offset + len(body))
    return bytes(header) + table + body


def tags(data: bytes) -> dict[bytes, bytes]:
    """The tags of an ICC profile."""
    entries = [data[start : start + 12] for start in range(132, 132 + 12 * struct.unpack(">I", data[128:132])[0], 12)]
    spans = [(entry[:4], *struct.unpack(">II", entry[4:])) for entry in entries]
    return {name: data[offset : offset + size] for name, offset, size in spans}


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged."""
    own = tags(SRGB)
    return profile(b"RGB ", b"XYZ ", b"mntr", own | {b"rXYZ": own[b"bXYZ"], b"bXYZ": own[b"rXYZ"]})


def nearly_srgb_profile() -> bytes:
    """sRGB with a hundredth more red, which moves some colours by one level: as the profiles of cameras do."""
    own = tags(SRGB)
    red = b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(x * 1.01) for x in struct.unpack(">iii", own[b"rXYZ"][8:])))
    return profile(b"RGB ", b"XYZ ", b"mntr", own | {b"rXYZ": red})


D50 = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)


def linear_grey_profile() -> bytes:
    return profile(b"GRAY", b"XYZ ", b"mntr", {b"wtpt": D50, b"kTRC": b"curv\0\0\0\0" + struct.pack(">I", 0)})


def cmyk_profile() -> bytes:
    """A printer whose cyan ink is red and whose other inks are black."""
    lab = np.zeros((2, 2, 2, 2, 3), np.uint8)
    lab[...] = (0, 128, 128)
    lab[0, 0, 0, 0], lab[1, 0, 0, 0] = (255, 128, 128), (136, 208, 195)  # L* 0..255, a* and b* + 128
    ramp = bytes(range(256))
    unit = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + ramp * 4 + lab.tobytes() + ramp * 3
    return profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": D50, b"A2B0": table, b"A2B1": table})


def one_sentence(message: str, name: str) -> None:
    assert message.count("\n") == 0 and name in message and len(message) < 300
