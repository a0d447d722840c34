"""Decoding picture files: orientation, depth and transparency; broken files raise one sentence."""

import io
import logging
import os
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models.image import decode
from impasto.models.image.decode import read
from impasto.models.image.picture import UnreadablePicture
from tests.fuzz import corpus
from tests.helpers.pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    corners,
    encoded,
    one_sentence,
    png,
    png16,
)

TURN: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {  # how a camera stores an upright picture
    1: lambda rgb: rgb,
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.transpose(1, 0, 2),
    6: lambda rgb: np.rot90(rgb),
    7: lambda rgb: rgb[::-1, ::-1].transpose(1, 0, 2),
    8: lambda rgb: np.rot90(rgb, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURN)
def test_read_any_orientation_gives_upright_pixels(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURN[orientation](corners())))
    file = encoded(stored, kind, exif=exif)
    rgb = read(file).rgb
    assert rgb.shape == (32, 48, 3)
    file.seek(0)
    with Image.open(file) as image:
        np.testing.assert_array_equal(decode.from_image(image, "photo").rgb, rgb)
    for point, color in {(8, 12): RED, (8, 36): GREEN, (24, 12): BLUE, (24, 36): WHITE}.items():
        assert np.abs(rgb[point].astype(int) - color).max() < 8


def test_from_image_damaged_file_is_one_sentence() -> None:
    file = io.BytesIO()
    Image.fromarray(corners()).save(file, "PNG")
    with Image.open(io.BytesIO(file.getvalue()[:-40])) as image, pytest.raises(UnreadablePicture) as caught:
        decode.from_image(image, "photo")
    one_sentence(str(caught.value), "photo is damaged")


def test_read_rotated_picture_rotates_alpha() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.dstack([corners(), np.full((32, 48), 255, np.uint8)])
    stored[0, :, 3] = 0
    picture = read(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert picture.alpha is not None
    assert picture.alpha.shape == picture.rgb.shape[:2] == (48, 32)
    assert (picture.alpha[:, -1] == 0).all() and (picture.alpha[:, :-1] == 255).all()


def test_read_rgb_is_exact_and_writable() -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG"))
    np.testing.assert_array_equal(picture.rgb, corners())
    assert picture.alpha is None and not picture.had_profile and picture.rgb.flags.writeable
    assert read(encoded(Image.fromarray(corners()).convert("RGBA"), "PNG")).alpha is None  # opaque


def test_read_gray_of_any_depth_gives_equal_levels() -> None:
    levels = np.array([[0, 1, 100, 254, 255]], np.uint8)
    gray = np.repeat(levels[..., None], 3, axis=-1)
    wide = levels.astype(np.uint16) * 257
    for file in (
        encoded(Image.fromarray(levels), "PNG"),
        png16(wide, 0),
        encoded(Image.fromarray(wide), "TIFF"),
        encoded(Image.fromarray(levels / np.float32(255)), "TIFF"),
        encoded(Image.fromarray(levels.astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(wide.astype(np.int32)), "TIFF"),
    ):
        np.testing.assert_array_equal(read(file).rgb, gray)
    bits = Image.fromarray(np.array([[0, 255, 255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(read(encoded(bits, "PNG")).rgb[0, :, 0], [0, 255, 255, 0])


def test_read_twelve_bit_tiff_scales_to_full_range() -> None:
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    table = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    file = b"II*\0" + struct.pack("<I", 12) + b"\xff\xf8\x00\0" + struct.pack("<H", len(tags)) + table + b"\0\0\0\0"
    np.testing.assert_array_equal(read(io.BytesIO(file)).rgb[0, :, 0], [255, 128])


def test_read_sixteen_bit_color_scales_to_eight_bits() -> None:
    wide = corners(2, 2).astype(np.uint16) * 257
    np.testing.assert_array_equal(read(png16(wide, 2)).rgb, corners(2, 2))
    half = np.full((2, 2, 1), 128 * 257, np.uint16)
    picture = read(png16(np.concatenate([wide, half], axis=-1), 6))
    np.testing.assert_array_equal(picture.rgb, corners(2, 2))
    assert picture.alpha is not None and (picture.alpha == 128).all()


def test_read_nan_and_infinity_give_black() -> None:
    values = np.array([[np.nan, 0.5, 1.0, np.inf]], np.float32)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(values), "TIFF")).rgb[0, :, 0], [0, 128, 255, 0])


def test_read_any_kind_of_transparency_gives_alpha() -> None:
    opaque = Image.fromarray(corners()).quantize(4)
    assert read(encoded(opaque, "PNG")).alpha is None
    np.testing.assert_array_equal(read(encoded(opaque, "GIF")).rgb, corners())
    red = opaque.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        picture = read(encoded(opaque, kind, transparency=red))
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha == 0, (corners() == RED).all(axis=-1))
    wide = read(png16(np.array([[0x1234, 0x1235]], np.uint16), 0, tRNS=b"\x12\x34"))
    assert wide.alpha is not None and wide.alpha.tolist() == [[0, 255]]
    both = Image.merge("LA", [Image.new("L", (4, 4), 70), Image.new("L", (4, 4), 30)])
    picture = read(encoded(both, "PNG"))
    assert picture.alpha is not None and (picture.alpha == 30).all() and (picture.rgb == 70).all()


@pytest.mark.filterwarnings("ignore")  # the commands silence Pillow, and here is none
def test_read_with_broken_exif_ignores_it() -> None:
    words = struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 4, b"up!\0", 0)
    number = struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, 77, 0)
    for exif in (b"nonsense", b"II*\0\xff\xff\xff\xff", b"II*\0" + words, b"II*\0" + number):
        assert read(encoded(Image.fromarray(corners()), "JPEG", exif=b"Exif\0\0" + exif)).rgb.shape == (32, 48, 3)


def broken_exif() -> BinaryIO:
    """A photo that Pillow warns about."""
    tag = struct.pack("<IHHHIII", 8, 1, 0x010E, 2, 5000, 200, 0)
    return encoded(Image.fromarray(corners()), "JPEG", exif=b"Exif\0\0II*\0" + tag)


def test_read_changes_no_warnings_filter_and_no_logger() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = warnings.filters[:], logging.getLogger("PIL").level
        read(broken_exif())
        assert (warnings.filters[:], logging.getLogger("PIL").level) == before
    assert caught  # else the next test shows nothing


def test_quiet_pillow_silences_what_decoding_repairs(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("PIL")
    level = logger.level
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            decode.quiet_pillow()
            read(broken_exif())
        assert not caught and not caplog.records and logger.level == logging.CRITICAL
    finally:
        logger.setLevel(level)


@pytest.mark.parametrize(
    "command",
    [
        *("export.commands.export", "export.commands.stylize", "train.commands.check", "train.commands.evaluate"),
        *("train.commands.explore", "train.commands.optimize", "train.commands.train", "train.data.audit"),
    ],
)
def test_commands_that_decode_silence_pillow(command: str) -> None:
    """Each in its own process, and impasto-check in each of its workers."""
    source = Path(decode.__file__).parents[2].joinpath(*command.split(".")).with_suffix(".py")
    assert "quiet_pillow()" in source.read_text(encoding="utf-8")


def test_read_animation_gives_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        rgb = read(encoded(frames[0], kind, save_all=True, append_images=frames[1:])).rgb
        assert (rgb[..., 0] > 250).all() and (rgb[..., 1:] < 5).all()


def test_read_with_short_side_never_goes_below_it() -> None:
    file = encoded(Image.fromarray(corners(400, 600)), "JPEG")
    for short_side, height in ((400, 400), (200, 200), (199, 200), (101, 200), (100, 100), (30, 50), (900, 400)):
        assert read(file, short_side=short_side).rgb.shape[0] == height


def truncated(kind: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    data.seek(0)
    return data.read()[:-1500]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"Dear diary,\n", "is not a picture", id="text"),
        pytest.param(b"\xff\xd8\xff\xe0 no more", "is damaged", id="no header"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture", id="eps"),
        *(pytest.param(truncated(kind), "is damaged", id=kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP")),
        pytest.param(png(60_000, 60_000, 8, 2, b"").read(), "megapixels", id="bomb"),
        pytest.param(png(0, 0, 8, 2, b"").read(), "is not a picture", id="zero size"),
    ],
)
def test_read_bad_bytes_raises_one_sentence(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(UnreadablePicture, match=fault) as caught:
        read(path)
    one_sentence(str(caught.value), str(path))
    with pytest.raises(UnreadablePicture, match=f"^album/photo .*{fault}"):
        read(io.BytesIO(data), "album/photo")


def test_read_huge_picture_is_refused_without_pillows_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(UnreadablePicture, match="megapixels"):
        read(png(60_000, 60_000, 8, 2, b""))


def test_read_bad_path_raises_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    for path, fault in ((tmp_path / "no.jpg", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(UnreadablePicture, match=fault) as caught:
            read(path)
        one_sentence(str(caught.value), str(path))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(UnreadablePicture, match=r"pipe\.jpg is not a regular file; name a picture"):
            read(tmp_path / "pipe.jpg")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadablePicture, match=r"secret\.jpg cannot be opened: permission denied"):
        read(tmp_path / "secret.jpg")


def test_read_odd_files_after_quiet_pillow_prints_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (15, 10)).save(tmp_path / "large.png")
    Image.new("RGB", (9, 8)).save(tmp_path / "exif.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (tmp_path / "torn.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    program = (
        "import sys; from pathlib import Path; from PIL import Image\n"
        "from impasto.models.image import decode, picture\n"
        "Image.MAX_IMAGE_PIXELS = 100  # Pillow warns above it\n"
        "decode.quiet_pillow()\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(decode.read(Path(name)).rgb.shape)\n"
        "    except picture.UnreadablePicture as error: print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    paths = [str(tmp_path / name) for name in ("large.png", "exif.jpg", "torn.tif")]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["(10, 15, 3)", "(8, 9, 3)"] and len(done.stdout.splitlines()) == 3


def test_read_in_strips_gives_equal_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file format and every orientation."""
    files = corpus.bases() | {f"turned_{turn}.png": turned(turn) for turn in range(1, 9)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    whole = {name: decode.read(tmp_path / name) for name in files}
    monkeypatch.setattr(decode, "STRIP_PIXELS", 5 * 48)  # five rows per strip, and a remainder
    for name, expected in whole.items():
        read = decode.read(tmp_path / name)
        np.testing.assert_array_equal(read.rgb, expected.rgb, err_msg=name)
        assert (read.alpha is None) == (expected.alpha is None)
        if read.alpha is not None and expected.alpha is not None:
            np.testing.assert_array_equal(read.alpha, expected.alpha)
        assert read.had_profile == expected.had_profile


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(Image.fromarray(corners()), "PNG", exif=exif)
    file.seek(0)
    return file.read()
