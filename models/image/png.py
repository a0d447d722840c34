"""What Pillow leaves to its callers of PNG files: cICP, and damaged chunks of color."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_MAGIC = b"\x89PNG\r\n\x1a\n"
_LENGTHS = {b"cICP": 4, b"sRGB": 1, b"cHRM": 32, b"gAMA": 4}
_MAX_ICC_BYTES = 1 << 24


def color_chunks(file: BinaryIO) -> dict[bytes, bytes]:
    """Return the data of the intact chunks cICP, iCCP, sRGB, cHRM and gAMA, by name."""
    chunks: dict[bytes, bytes] = {}
    for name, data, _ in _scan(file):
        if data is not None:
            chunks.setdefault(name, data)
    return chunks


def drop_damaged_color(file: BinaryIO) -> BinaryIO:
    """Return the file, or a copy without its damaged chunks of color, which browsers ignore and Pillow refuses."""
    damaged = [span for _, data, span in _scan(file) if data is None]
    file.seek(0)
    if not damaged:
        return file
    whole = file.read()
    edges = [0, *(edge for span in damaged for edge in (span.start, span.stop)), len(whole)]
    return io.BytesIO(b"".join(whole[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)))


def _scan(file: BinaryIO) -> Iterator[tuple[bytes, bytes | None, slice]]:
    """Yield name, data and place of the chunks of color before the pixels.

    The data are None where damaged, and behind the palette, which browsers take for damage, too.
    """
    file.seek(0)
    has_palette, start = False, len(_MAGIC)
    is_png = file.read(start) == _MAGIC
    while is_png and len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        stop = start + 12 + length
        if name in (b"IDAT", b"IEND"):
            return
        has_palette |= name == b"PLTE"
        if name in _LENGTHS or name == b"iCCP":
            is_sane = (
                length == _LENGTHS.get(name, min(length, _MAX_ICC_BYTES)) and not has_palette
            )  # these precede PLTE
            yield name, _intact(name, file.read(length + 4)) if is_sane else None, slice(start, stop)
        start = stop
        file.seek(start)


def _intact(name: bytes, content: bytes) -> bytes | None:
    """Return the data of a chunk from its data and checksum, or None where damaged."""
    data = content[:-4]
    if content[-4:] != struct.pack(">I", zlib.crc32(name + data)):
        return None
    # iCCP: the profile's name, a zero, and the method of compression, of which there is one.
    return None if name == b"iCCP" and data.partition(b"\0")[2][:1] != b"\0" else data
