"""Broken pictures, zips of pictures, checkpoints and ONNX files. The same seed gives the same bytes."""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers.pictures import SRGB, cmyk_profile, encoded, png, png16

Case = tuple[str, bytes]
"""The name of a file, which describes how it was generated, and its bytes."""
HUGE = 65_535
SIDES = (0, 1, 30_000, HUGE, 0x7FFFFFFF, 0xFFFFFFFF)  # written into headers


def pictures(count: int, seed: int, heavy: bool) -> Iterator[Case]:
    """Yield the decompression bombs, then `count` mutated pictures of all formats.

    Without `heavy`, leave out the bombs that take a second or more to decode.
    """
    rng = random.Random(seed)
    yield from ((f"bomb_{name}", _bomb(name)) for name in BOMBS if heavy or not name.startswith(HEAVY))
    original = [*bases().items()]
    for number in range(count):
        suffix, data = original[number % len(original)]
        second = rng.choice(original)[1]
        mutation = rng.choice([*MUTATIONS])
        yield f"{number:05d}_{mutation}_{suffix}", MUTATIONS[mutation](rng, bytearray(data), second)


def zips(count: int, seed: int, heavy: bool) -> Iterator[Case]:
    """Yield zips with path traversal, decompression bombs and wrong headers, then mutated zips."""
    rng = random.Random(seed)
    good = bases()["rgb.jpg"]
    yield "traversal.zip", _zip({"../../evil.jpg": good, "/tmp/evil.jpg": good, "C:\\evil.jpg": good, "a\0b.jpg": good})
    if heavy:
        yield "bomb.zip", _zip({"bomb.jpg": bytes(1 << 30), "good.jpg": good})
        yield "bombs_in_a_row.zip", _zip({f"{n}.png": bytes(300 << 20) for n in range(3)} | {"good.jpg": good})
        yield "picture_bombs.zip", _zip({name: _bomb(name) for name in BOMBS} | {"good.jpg": good})
    yield "zip_in_zip.zip", _zip({"inner.jpg": _zip({"a.jpg": good}), "good.jpg": good})
    for kind, at in (("size", 24), ("packed_size", 20), ("method", 10), ("flags", 8), ("offset", 42)):
        changed = bytearray(_zip({"a.jpg": good, "b.jpg": good}))
        directory = changed.rindex(b"PK\1\2")
        changed[directory + at : directory + at + 2] = b"\xff\x7f"
        yield f"lying_{kind}.zip", bytes(changed)
    original = _zip({f"{number}_{name}": data for number, (name, data) in enumerate(bases().items())})
    for number in range(count):
        mutation = rng.choice([*MUTATIONS])
        yield f"{number:05d}_{mutation}.zip", MUTATIONS[mutation](rng, bytearray(original), good)


def checkpoints(count: int, seed: int, original: bytes) -> Iterator[Case]:
    """Yield a .safetensors file with a wrong header or card, then mutated ones."""
    rng = random.Random(seed)
    size = struct.unpack("<Q", original[:8])[0]
    header, body = json.loads(original[8 : 8 + size]), original[8 + size :]
    first = next(name for name in header if name != "__metadata__")

    def rebuilt(metadata: dict[str, Any] | None = None, **values: Any) -> bytes:
        """Replace metadata, or fields of the first tensor."""
        changed = json.loads(json.dumps(header))
        changed["__metadata__"].update(metadata or {})
        changed[first].update(values)
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + body

    def carded(part: str, value: Any) -> bytes:
        return rebuilt({"card": json.dumps(card | {part: value})})

    card = json.loads(header["__metadata__"].get("card", "{}"))
    yield "header_longer_than_the_file.safetensors", struct.pack("<Q", 1 << 62) + original[8:]
    yield "header_of_nothing.safetensors", struct.pack("<Q", 0) + original[8:]
    deep = b"[" * 100_000
    yield "deep_header.safetensors", struct.pack("<Q", len(deep)) + deep
    texts = ("[]", "3", "null", '"x"', "{}", "nonsense", "1e999", '{"model": 1}', "[" * 100_000, "[" * 500 + "]" * 500)
    for number, text in enumerate(texts):
        yield f"card_{number}.safetensors", rebuilt({"card": text})
    kinds: tuple[Any, ...] = (None, [], {}, 3, "x", [1, {}], {"name": [], "sha256": {}}, float("nan"))
    for part in ("model", "style", "loss", "data", "training", "validation"):
        for number, value in enumerate(kinds):
            yield f"card_{part}_{number}.safetensors", carded(part, value)
    contradictions: dict[str, tuple[Any, ...]] = {
        "width": (1e308, -1, "x", None, float("nan"), 8),
        "blocks": (10**9, -1, 64, "2", 1.5, []),
        "name": ([], {}),
    }
    for part, values in contradictions.items():
        for number, value in enumerate(values):
            yield f"model_{part}_{number}.safetensors", carded("model", card["model"] | {part: value})
    yield "model_of_5_gb.safetensors", carded("model", {"name": "johnson", "width": 8, "blocks": 64})
    for part in ("style", "loss"):
        for key in card.get(part, {}):
            for number, value in enumerate((None, [], {}, "x", -1, float("nan"))):
                yield f"{part}_{key}_{number}.safetensors", carded(part, card[part] | {key: value})
    for number, shape in enumerate(([1 << 40], [0], [-1], [1 << 62, 4], [])):
        yield f"shape_{number}.safetensors", rebuilt(shape=shape)
    for name in ("F64", "BOOL", "I8", "BF16", "X"):
        yield f"dtype_{name}.safetensors", rebuilt(dtype=name)
    yield "offsets.safetensors", rebuilt(data_offsets=[0, 1 << 50])
    for number in range(count):
        mutation = rng.choice([*MUTATIONS])
        # The header is a small part of the file, and all that can be wrong in kind.
        in_header = rng.random() < 0.7
        changed, rest = (original[: 8 + size], original[8 + size :]) if in_header else (original, b"")
        yield f"{number:05d}_{mutation}.safetensors", MUTATIONS[mutation](rng, bytearray(changed), original) + rest


def onnx_files(count: int, seed: int, *originals: bytes) -> Iterator[Case]:
    """Yield mutated ONNX files."""
    rng = random.Random(seed)
    for number in range(count):
        mutation, original = rng.choice([*MUTATIONS]), rng.choice(originals)
        yield f"{number:05d}_{mutation}.onnx", MUTATIONS[mutation](rng, bytearray(original), rng.choice(originals))


def _flip(rng: random.Random, data: bytearray, second: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 3, 10, 50))):
        # Half of them near the start, where the headers are.
        end = len(data) if rng.random() < 0.5 else min(len(data), 400)
        data[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(rng: random.Random, data: bytearray, _: bytes) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _overwrite(rng: random.Random, data: bytearray, _: bytes) -> bytes:
    start, length = rng.randrange(len(data)), rng.randrange(1, 40)
    data[start : start + length] = rng.choice((b"\0", b"\xff", rng.randbytes(1))) * length
    return bytes(data)


def _drop(rng: random.Random, data: bytearray, _: bytes) -> bytes:
    start = rng.randrange(len(data))
    del data[start : start + rng.randrange(1, 200)]
    return bytes(data)


def _double(rng: random.Random, data: bytearray, _: bytes) -> bytes:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 400)]
    return bytes(data[:start] + piece * rng.choice((2, 3, 500)) + data[start + len(piece) :])


def _splice(rng: random.Random, data: bytearray, second: bytes) -> bytes:
    return bytes(data[: rng.randrange(len(data))]) + second[rng.randrange(len(second)) :]


def _wrong_side(rng: random.Random, data: bytearray, _: bytes) -> bytes:
    """Overwrite a field that contains a side of the picture, or else any number."""
    kinds = [order + size for order in "<>" for size in "HI"]
    fields = [
        (at, kind) for kind in kinds for side in (48, 32) if (at := data.find(struct.pack(kind, side), 0, 4000)) >= 0
    ]
    at, kind = rng.choice(fields) if fields else (rng.randrange(max(1, len(data) - 4)), rng.choice(kinds))
    value = rng.choice(SIDES) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF)
    data[at : at + struct.calcsize(kind)] = struct.pack(kind, value)
    return bytes(data)


MUTATIONS: dict[str, Callable[[random.Random, bytearray, bytes], bytes]] = {
    "flipped": _flip,
    "cut": _cut,
    "overwritten": _overwrite,
    "dropped": _drop,
    "doubled": _double,
    "spliced": _splice,
    "wrong_side": _wrong_side,
}


def bases() -> dict[str, bytes]:
    """An intact picture of each format, 48x32, by its file name."""
    noise = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    rgb = Image.fromarray(noise).resize((48, 32), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    alpha = rgb.convert("RGBA")
    alpha.putalpha(99)
    deep = np.linspace(0, 65535, 48 * 32 * 3).astype(np.uint16).reshape(32, 48, 3)
    images: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "rgb.jpg": (rgb, "JPEG", {"exif": exif}),
        "progressive.jpg": (rgb, "JPEG", {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), "JPEG", {"icc_profile": cmyk_profile()}),
        "gray.jpeg": (rgb.convert("L"), "JPEG", {}),
        "rgb.png": (rgb, "PNG", {"exif": exif}),
        "alpha.png": (alpha, "PNG", {"icc_profile": cmyk_profile()}),
        "palette.png": (rgb.convert("P"), "PNG", {}),
        "lossy.webp": (rgb, "WEBP", {"exif": exif}),
        "animated.webp": (rgb, "WEBP", {"save_all": True, "append_images": [rgb.rotate(90)], "lossless": True}),
        "still.avif": (rgb, "AVIF", {}),
        "plain.tif": (rgb, "TIFF", {}),
        "deflate.tiff": (alpha, "TIFF", {"compression": "tiff_deflate"}),
        "jpeg.tif": (rgb, "TIFF", {"compression": "jpeg"}),
        "float.tif": (Image.fromarray(deep[..., 0].astype(np.float32)), "TIFF", {}),
        "plain.bmp": (rgb, "BMP", {}),
        "animated.gif": (rgb, "GIF", {"save_all": True, "append_images": [rgb.rotate(90)]}),
        "plain.ppm": (rgb, "PPM", {}),
        "gray.pgm": (rgb.convert("L"), "PPM", {}),
        "jpeg2000.jpg": (rgb, "JPEG2000", {}),  # Pillow looks at the content, not at the suffix
    }
    Image.init()
    files = {
        name: _bytes(image, kind, options) for name, (image, kind, options) in images.items() if kind in Image.SAVE
    }
    return files | {"deep.png": png16(deep, color=2).read(), "deep_gray.png": png16(deep[..., 0], color=0).read()}


def _bytes(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    file = encoded(image, kind, **options)
    file.seek(0)
    return file.read()


def _zip(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return file.getvalue()


def _zeros(width: int, height: int, depth: int, color: int, channels: int, **chunks: bytes) -> bytes:
    """A PNG of a few kB that decodes to a large black picture."""
    row = bytes(1 + (width * depth * channels + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    empty = png(width, height, depth, color, b"", **chunks).read()
    start = empty.index(b"IDAT") - 4
    data = b"IDAT" + packed
    return empty[:start] + struct.pack(">I", len(packed)) + data + struct.pack(">I", zlib.crc32(data)) + _IEND


_IEND = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def _zipped_text(megabytes: int) -> bytes:
    return b"name\0\0" + zlib.compress(bytes(megabytes << 20))


def _gif(width: int, height: int) -> bytes:
    """A GIF whose header claims more than it holds."""
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
    return screen + b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\2\2\x44\1\0;"


HEAVY = ("just_below", "sides_13000")
BOMBS: dict[str, Callable[[], bytes]] = {
    "sides_65535.png": lambda: png(HUGE, HUGE, 8, 2, bytes(1000)).read(),
    "width_65535.png": lambda: _zeros(HUGE, 16, 8, 2, 3),
    "height_65535.png": lambda: _zeros(16, HUGE, 8, 2, 3),
    "just_below_the_limit.png": lambda: _zeros(13_000, 13_000, 8, 2, 3),
    "just_below_in_16_bits.png": lambda: _zeros(13_000, 13_000, 16, 0, 1),
    "just_below_in_16_bits_alpha.png": lambda: _zeros(13_000, 13_000, 16, 6, 4),
    "just_below_in_1_bit.png": lambda: _zeros(13_000, 13_000, 1, 0, 1),
    "just_below_with_profile.png": lambda: _zeros(13_000, 13_000, 8, 2, 3, iCCP=b"p\0\0" + zlib.compress(SRGB)),
    "text_of_256_mb.png": lambda: png(48, 32, 8, 2, bytes(145 * 32), zTXt=_zipped_text(256)).read(),
    "profile_of_256_mb.png": lambda: png(48, 32, 8, 2, bytes(145 * 32), iCCP=_zipped_text(256)).read(),
    "sides_65535.gif": lambda: _gif(HUGE, HUGE),
    "sides_13000.gif": lambda: _gif(13_000, 13_000),
    "sides_65535.ppm": lambda: b"P6 65535 65535 255\n" + bytes(1000),
    "sides_13000.pgm": lambda: b"P5 13000 13000 65535\n" + bytes(1000),
    "sides_of_many_digits.ppm": lambda: b"P6 " + b"9" * 5000 + b" 1 255\n",
    "sides_13000.jpg": lambda: _with_sides(bases()["rgb.jpg"], 13_000),
    "sides_65535.jpg": lambda: _with_sides(bases()["rgb.jpg"], HUGE),
    "sides_13000_progressive.jpg": lambda: _with_sides(bases()["progressive.jpg"], 13_000),
}


@cache
def _bomb(name: str) -> bytes:
    return BOMBS[name]()


def _with_sides(jpeg: bytes, side: int) -> bytes:
    return jpeg.replace(struct.pack(">HH", 32, 48), struct.pack(">HH", side, side))


def write(folder: Path, cases: Iterator[Case]) -> Iterator[Path]:
    """Write the files one at a time; each is deleted before the next one is written."""
    for name, data in cases:
        path = folder / name
        path.write_bytes(data)
        yield path
        path.unlink()
