"""Reading and writing picture files: what is seen stays what is seen, and broken files get one sentence."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from impasto.models import pictures
from impasto.models.pictures import UnreadablePicture, read
from tests.fuzz import corpus
from tests.models.made_pictures import (
    BLUE,
    D50,
    GREEN,
    RED,
    SRGB,
    WHITE,
    cmyk_profile,
    corners,
    encoded,
    linear_grey_profile,
    nearly_srgb_profile,
    one_sentence,
    png,
    png16,
    profile,
    swapped_profile,
)

TURN: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {  # how a camera stores what is seen
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.transpose(1, 0, 2),
    6: lambda seen: np.rot90(seen),
    7: lambda seen: seen[::-1, ::-1].transpose(1, 0, 2),
    8: lambda seen: np.rot90(seen, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURN)
def test_every_orientation_is_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURN[orientation](corners())))
    seen = read(encoded(stored, kind, exif=exif)).rgb
    assert seen.shape == (32, 48, 3)
    for point, colour in {(8, 12): RED, (8, 36): GREEN, (24, 12): BLUE, (24, 36): WHITE}.items():
        assert np.abs(seen[point].astype(int) - colour).max() < 8


def test_alpha_turns_with_the_colours() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.dstack([corners(), np.full((32, 48), 255, np.uint8)])
    stored[0, :, 3] = 0
    picture = read(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert picture.alpha is not None
    assert picture.alpha.shape == picture.rgb.shape[:2] == (48, 32)
    assert (picture.alpha[:, -1] == 0).all() and (picture.alpha[:, :-1] == 255).all()


def test_rgb_is_exact_and_writable() -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG"))
    np.testing.assert_array_equal(picture.rgb, corners())
    assert picture.alpha is None and not picture.had_profile and picture.rgb.flags.writeable
    assert read(encoded(Image.fromarray(corners()).convert("RGBA"), "PNG")).alpha is None  # opaque: nothing to keep


def test_grey_of_every_depth() -> None:
    levels = np.array([[0, 1, 100, 254, 255]], np.uint8)
    grey = np.repeat(levels[..., None], 3, axis=-1)
    wide = levels.astype(np.uint16) * 257
    for file in (
        encoded(Image.fromarray(levels), "PNG"),
        png16(wide, 0),
        encoded(Image.fromarray(wide), "TIFF"),
        encoded(Image.fromarray(levels / np.float32(255)), "TIFF"),
        encoded(Image.fromarray(levels.astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(wide.astype(np.int32)), "TIFF"),
    ):
        np.testing.assert_array_equal(read(file).rgb, grey)
    bits = Image.fromarray(np.array([[0, 255, 255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(read(encoded(bits, "PNG")).rgb[0, :, 0], [0, 255, 255, 0])


def test_twelve_bit_tiff_is_not_dark() -> None:
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    table = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    file = b"II*\0" + struct.pack("<I", 12) + b"\xff\xf8\x00\0" + struct.pack("<H", len(tags)) + table + b"\0\0\0\0"
    np.testing.assert_array_equal(read(io.BytesIO(file)).rgb[0, :, 0], [255, 128])


def test_sixteen_bit_colour() -> None:
    wide = corners(2, 2).astype(np.uint16) * 257
    np.testing.assert_array_equal(read(png16(wide, 2)).rgb, corners(2, 2))
    half = np.full((2, 2, 1), 128 * 257, np.uint16)
    picture = read(png16(np.concatenate([wide, half], axis=-1), 6))
    np.testing.assert_array_equal(picture.rgb, corners(2, 2))
    assert picture.alpha is not None and (picture.alpha == 128).all()


def test_not_a_number_is_black() -> None:
    values = np.array([[np.nan, 0.5, 1.0, np.inf]], np.float32)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(values), "TIFF")).rgb[0, :, 0], [0, 128, 255, 0])


def test_palette_grey_and_16_bit_transparency_become_alpha() -> None:
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


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])  # Pillow writes JPEG the Adobe way, inverted
def test_cmyk(kind: str) -> None:
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert np.abs(read(encoded(inks, kind)).rgb.astype(int) - (0, 255, 255)).max() < 4
    managed = read(encoded(inks, kind, icc_profile=cmyk_profile()))
    assert managed.had_profile
    assert (managed.rgb[..., 0] > 220).all() and (managed.rgb[..., 1:] < 60).all()


def test_lab_and_ycbcr() -> None:
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    painted = lab.apply(Image.fromarray(corners()))
    del painted.info["icc_profile"]
    assert (
        np.abs(read(encoded(painted, "TIFF")).rgb.astype(int) - corners()).max() < 25
    )  # 8 bits of Lab are coarse in green
    ycbcr = Image.fromarray(corners()).convert("YCbCr")
    assert np.abs(read(encoded(ycbcr, "TIFF")).rgb.astype(int) - corners()).max() < 6


def test_profiles_are_converted_to_srgb() -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG", icc_profile=swapped_profile()))
    assert picture.had_profile
    assert np.abs(picture.rgb.astype(int) - corners()[..., ::-1]).max() <= 3
    grey = Image.new("L", (4, 4), 55)  # linear light of 55/255 is sRGB's 128
    assert np.abs(read(encoded(grey, "PNG", icc_profile=linear_grey_profile())).rgb.astype(int) - 128).max() <= 2
    both = Image.merge("LA", [grey, grey])
    picture = read(encoded(both, "PNG", icc_profile=linear_grey_profile()))
    assert (
        picture.alpha is not None and (picture.alpha == 55).all() and np.abs(picture.rgb.astype(int) - 128).max() <= 2
    )
    picture = read(encoded(grey, "PNG", icc_profile=swapped_profile()))  # grey in the colours of a screen
    assert picture.had_profile and np.abs(picture.rgb.astype(int) - 55).max() <= 2
    alpha = np.dstack([corners(), np.full((32, 48), 9, np.uint8)])
    picture = read(encoded(Image.fromarray(alpha), "PNG", icc_profile=swapped_profile()))
    assert picture.alpha is not None and (picture.alpha == 9).all() and picture.rgb[0, 0, 2] > 250


@pytest.mark.parametrize("same", [SRGB, nearly_srgb_profile()])
def test_srgb_pixels_stay_exact(same: bytes) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    picture = read(encoded(Image.fromarray(noise), "PNG", icc_profile=same))
    np.testing.assert_array_equal(picture.rgb, noise)
    assert picture.had_profile


@pytest.mark.parametrize(
    "broken",
    [
        b"no profile",
        SRGB[:200],
        profile(b"RGB ", b"XYZ ", b"mntr", {b"wtpt": D50}),
        linear_grey_profile(),
        cmyk_profile(),
    ],
)
def test_broken_and_foreign_profiles_are_ignored(broken: bytes) -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG", icc_profile=broken))
    np.testing.assert_array_equal(picture.rgb, corners())
    assert not picture.had_profile


def test_an_rgb_profile_says_nothing_of_inks() -> None:
    assert not read(encoded(Image.new("CMYK", (4, 4)), "TIFF", icc_profile=SRGB)).had_profile


@pytest.mark.filterwarnings("ignore")  # pytest sets the filters of pictures.py aside
def test_broken_exif_is_ignored() -> None:
    words = struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 4, b"up!\0", 0)
    number = struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, 77, 0)
    for exif in (b"nonsense", b"II*\0\xff\xff\xff\xff", b"II*\0" + words, b"II*\0" + number):
        assert read(encoded(Image.fromarray(corners()), "JPEG", exif=b"Exif\0\0" + exif)).rgb.shape == (32, 48, 3)


def test_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        rgb = read(encoded(frames[0], kind, save_all=True, append_images=frames[1:])).rgb
        assert (rgb[..., 0] > 250).all() and (rgb[..., 1:] < 5).all()


def test_draft_never_goes_below_the_short_side() -> None:
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
def test_bad_bytes_get_one_sentence(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(UnreadablePicture, match=fault) as caught:
        read(path)
    one_sentence(str(caught.value), str(path))
    with pytest.raises(UnreadablePicture, match=f"^album/photo .*{fault}"):
        read(io.BytesIO(data), "album/photo")


def test_our_own_limit_holds_where_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(UnreadablePicture, match="megapixels"):
        read(png(60_000, 60_000, 8, 2, b""))


def test_bad_paths_get_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    for path, fault in ((tmp_path / "no.jpg", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(UnreadablePicture, match=fault) as caught:
            read(path)
        one_sentence(str(caught.value), str(path))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadablePicture, match=r"secret\.jpg cannot be opened: permission denied"):
        read(tmp_path / "secret.jpg")


def test_pillow_says_nothing_on_stderr(tmp_path: Path) -> None:
    Image.new("RGB", (15, 10)).save(tmp_path / "large.png")
    Image.new("RGB", (9, 8)).save(tmp_path / "exif.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (tmp_path / "torn.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    program = (
        "import sys; from pathlib import Path; from PIL import Image; from impasto.models import pictures as p\n"
        "Image.MAX_IMAGE_PIXELS = 100  # Pillow warns above it\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(p.read(Path(name)).rgb.shape)\n"
        "    except p.UnreadablePicture as error: print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    paths = [str(tmp_path / name) for name in ("large.png", "exif.jpg", "torn.tif")]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["(10, 15, 3)", "(8, 9, 3)"] and len(done.stdout.splitlines()) == 3


def test_a_large_picture_is_read_strip_by_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same pixels: of every kind of file, of every orientation."""
    made = corpus.bases() | {f"turned_{turn}.png": turned(turn) for turn in range(1, 9)}
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    whole = {name: pictures.read(tmp_path / name) for name in made}
    monkeypatch.setattr(pictures, "_STRIP", 5 * 48)  # five rows, and a rest
    for name, expected in whole.items():
        read = pictures.read(tmp_path / name)
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
