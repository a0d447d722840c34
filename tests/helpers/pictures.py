"""Synthetic picture files: unusual modes, ICC profiles, headers that contradict the data."""

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
    """Return a picture with red, green, blue and white quarters, which no rotation or flip maps onto itself."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2], rgb[: height // 2, width // 2 :] = RED, GREEN
    rgb[height // 2 :, : width // 2], rgb[height // 2 :, width // 2 :] = BLUE, WHITE
    return rgb


def encoded(image: Image.Image, kind: str, **options: Any) -> BinaryIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file


def png(width: int, height: int, depth: int, color: int, rows: bytes, **chunks: bytes) -> BinaryIO:
    """Assemble a PNG file, for kinds that Pillow does not write."""

    def chunk(kind: str, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind.encode() + data + struct.pack(">I", zlib.crc32(kind.encode() + data))

    header = chunk("IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    extra = b"".join(chunk(kind, data) for kind, data in chunks.items())
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + extra + chunk("IDAT", zlib.compress(rows)) + chunk("IEND", b""))


def png16(values: NDArray[np.uint16], color: int, **chunks: bytes) -> BinaryIO:
    height, width = values.shape[:2]
    return png(width, height, 16, color, b"".join(b"\0" + row.astype(">u2").tobytes() for row in values), **chunks)


def profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Assemble an ICC profile from its tags."""
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
    """Return the tags of an ICC profile."""
    entries = [data[start : start + 12] for start in range(132, 132 + 12 * struct.unpack(">I", data[128:132])[0], 12)]
    spans = [(entry[:4], *struct.unpack(">II", entry[4:])) for entry in entries]
    return {name: data[offset : offset + size] for name, offset, size in spans}


def swapped_profile() -> bytes:
    """Return an sRGB profile with the primaries of red and blue exchanged."""
    srgb = tags(SRGB)
    return profile(b"RGB ", b"XYZ ", b"mntr", srgb | {b"rXYZ": srgb[b"bXYZ"], b"bXYZ": srgb[b"rXYZ"]})


def nearly_srgb_profile() -> bytes:
    """Return an sRGB profile with 1 % more red, which changes some colors by one level, as cameras' profiles do."""
    srgb = tags(SRGB)
    red = b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(x * 1.01) for x in struct.unpack(">iii", srgb[b"rXYZ"][8:])))
    return profile(b"RGB ", b"XYZ ", b"mntr", srgb | {b"rXYZ": red})


D50 = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)


def linear_gray_profile() -> bytes:
    return profile(b"GRAY", b"XYZ ", b"mntr", {b"wtpt": D50, b"kTRC": b"curv\0\0\0\0" + struct.pack(">I", 0)})


def cmyk_profile() -> bytes:
    """Return the profile of a printer whose cyan ink is red and whose other inks are black."""
    lab = np.zeros((2, 2, 2, 2, 3), np.uint8)
    lab[...] = (0, 128, 128)
    lab[0, 0, 0, 0], lab[1, 0, 0, 0] = (255, 128, 128), (136, 208, 195)  # L* 0..255, a* and b* + 128
    ramp = bytes(range(256))
    unit = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + ramp * 4 + lab.tobytes() + ramp * 3
    return profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": D50, b"A2B0": table, b"A2B1": table})


def one_sentence(message: str, name: str) -> None:
    assert message.count("\n") == 0 and name in message and len(message) < 300


def hlg_signal(light: float) -> float:
    """Return the HLG signal, 0..255, of a gray whose display light is relative to reference white."""
    scene = (light * 203 / 1000) ** (1 / 1.2)
    return 255 * float(
        0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073 if scene > 1 / 12 else np.sqrt(3 * scene)
    )
