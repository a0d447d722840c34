"""Color spaces that a file names without an ICC profile; expected values are computed with published matrices."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models.image.color_space import converter
from impasto.models.image.decode import read
from impasto.models.image.encode import write
from tests.helpers.pictures import SRGB, encoded, png, png16, swapped_profile

COLORS = np.array(
    [[[200, 100, 50], [30, 90, 160], [128, 128, 128], [255, 255, 255], [90, 140, 60], [0, 0, 0]]], np.uint8
)
P3, PQ_2020, HLG_2020, SRGB_CODES = (12, 13), (9, 16), (9, 18), (1, 13)
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
ADOBE_TO_SRGB = np.array([[1.3983, -0.3983, 0], [0, 1, 0], [0, -0.0429, 1.0429]])
BT2020_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
# Lindbloom's tables: linear ProPhoto RGB to XYZ (D50), and XYZ (D50) to linear sRGB by Bradford.
PROPHOTO_TO_XYZ = np.array([[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0, 0, 0.8252100]])
XYZ_TO_SRGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)
CHRM_SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
CHRM_P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
CHRM_ADOBE = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
CHRM_PROPHOTO = (34567, 35850, 73470, 26530, 15960, 84040, 3660, 10)
LINEAR = struct.pack(">I", 100_000)


def rgb_png(**chunks: bytes) -> BinaryIO:
    rows = b"".join(b"\0" + row.tobytes() for row in COLORS)
    return png(COLORS.shape[1], COLORS.shape[0], 8, 2, rows, **chunks)


def codes(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return bytes([primaries, transfer, matrix, full_range])


def chrm(values: tuple[int, ...]) -> bytes:
    return struct.pack(">8I", *values)


def gama(value: int) -> bytes:
    return struct.pack(">I", value)


def iccp(profile: bytes) -> bytes:
    return b"p\0\0" + zlib.compress(profile)


def to_light(values: NDArray[Any]) -> NDArray[np.float64]:
    signal = values / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ signal, 0..255, of light relative to the reference white of 203 cd/m2 (ITU-R BT.2100, table 4)."""
    power = (light * 203 / 10_000) ** (2610 / 16384)
    return 255 * ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def avif(image: Image.Image, primaries: int, transfer: int, **options: Any) -> BinaryIO:
    file = encoded(image, "AVIF", quality=100, subsampling="4:4:4", **options)
    file.seek(0)
    head, box, tail = file.read().partition(b"colrnclx")
    assert box and box not in tail
    return io.BytesIO(head + box + struct.pack(">HH", primaries, transfer) + tail[4:])


def heic(image: Image.Image, primaries: int, transfer: int, **options: Any) -> BinaryIO:
    pytest.importorskip("pillow_heif").register_heif_opener()
    nclx = {"color_primaries": primaries, "transfer_characteristics": transfer}
    return encoded(image, "HEIF", quality=-1, chroma=444, matrix_coefficients=0, full_range_flag=1, **nclx, **options)


@pytest.mark.parametrize("chunks", [{"cICP": codes(*P3)}, {"cHRM": chrm(CHRM_P3)}], ids=["cICP", "cHRM"])
def test_read_png_in_display_p3_is_converted(chunks: dict[str, bytes]) -> None:
    picture = read(rgb_png(**chunks))
    np.testing.assert_allclose(picture.rgb, to_srgb(to_light(COLORS) @ P3_TO_SRGB.T), atol=1.5)
    assert picture.had_profile


@pytest.mark.parametrize(
    ("points", "gamma", "to_linear_srgb"),
    [
        (CHRM_ADOBE, 45_455, ADOBE_TO_SRGB),
        (CHRM_PROPHOTO, 55_556, XYZ_TO_SRGB @ PROPHOTO_TO_XYZ),
        (CHRM_SRGB, 100_000, np.eye(3)),
        (CHRM_SRGB, 55_556, np.eye(3)),
    ],
    ids=["adobe", "prophoto", "linear", "mac"],
)
def test_read_png_with_chromaticities_and_gamma_is_converted(
    points: tuple[int, ...], gamma: int, to_linear_srgb: NDArray[np.float64]
) -> None:
    light = (COLORS / 255) ** (100_000 / gamma) @ to_linear_srgb.T
    picture = read(rgb_png(cHRM=chrm(points), gAMA=gama(gamma)))
    np.testing.assert_allclose(picture.rgb, to_srgb(light), atol=1.5)
    assert picture.had_profile


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": gama(45_455)},
        {"gAMA": gama(45_455), "cHRM": chrm(CHRM_SRGB)},
        {"cHRM": chrm(CHRM_SRGB)},
        {"cICP": codes(*SRGB_CODES)},
        {"cICP": codes(1, 1)},  # the curve of BT.709, which browsers show as sRGB's
        {"sRGB": b"\0", "gAMA": gama(45_455), "cHRM": chrm(CHRM_SRGB)},
    ],
    ids=lambda chunks: "+".join(chunks),
)
def test_read_png_in_srgb_is_exact(chunks: dict[str, bytes]) -> None:
    picture = read(rgb_png(**chunks))
    np.testing.assert_array_equal(picture.rgb, COLORS)
    assert not picture.had_profile


def test_read_png_takes_the_first_of_cicp_iccp_srgb_and_gamma() -> None:
    gamma, swapped = LINEAR, iccp(swapped_profile())
    np.testing.assert_array_equal(read(rgb_png(gAMA=gamma, sRGB=b"\0")).rgb, COLORS)
    np.testing.assert_allclose(read(rgb_png(gAMA=gamma, iCCP=swapped)).rgb[0, 0], (50, 100, 200), atol=2)
    both = read(rgb_png(gAMA=gamma, iCCP=swapped, cICP=codes(*SRGB_CODES)))
    np.testing.assert_array_equal(both.rgb, COLORS)
    wide = read(rgb_png(gAMA=gamma, sRGB=b"\0", iCCP=swapped, cICP=codes(*P3)))
    np.testing.assert_array_equal(wide.rgb, read(rgb_png(cICP=codes(*P3))).rgb)


@pytest.mark.parametrize(
    ("primaries", "to_bt709"), [(9, BT2020_TO_BT709), (12, P3_TO_SRGB), (1, np.eye(3))], ids=["2020", "p3", "709"]
)
def test_read_png_in_pq_is_mapped_to_sdr(primaries: int, to_bt709: NDArray[np.float64]) -> None:
    light = np.array([[0.3, 0.18, 0.1], [0.05, 0.2, 0.4], [0.18, 0.18, 0.18], [0.6, 0.5, 0.4]])
    signal = np.rint(pq(light @ np.linalg.inv(to_bt709).T)).astype(np.uint8)
    rows = b"\0" + signal.tobytes()
    picture = read(png(len(light), 1, 8, 2, rows, cICP=codes(primaries, 16)))
    np.testing.assert_allclose(picture.rgb[0], to_srgb(light), atol=4)  # 8 bits of PQ are coarse
    assert picture.had_profile


def test_read_png_in_hlg_is_mapped_to_sdr() -> None:
    """75 % is the reference white, and half of the signal is 1/12 of the scene's light."""
    levels = np.array([0.5, 0.25, 0.75]) * 255
    signal = np.rint(levels).astype(np.uint8).repeat(3)
    picture = read(png(3, 1, 8, 2, b"\0" + signal.tobytes(), cICP=codes(*HLG_2020)))
    scene = np.array([0.25, 0.0625]) / 3
    expected = to_srgb(1000 / 203 * scene**1.2)
    np.testing.assert_allclose(picture.rgb[0, :2], expected[:, None].repeat(3, 1), atol=3)
    assert picture.rgb[0, 2].min() > 235


@pytest.mark.parametrize(
    "chunks",
    [
        {"cICP": codes(12, 13, matrix=9)},
        {"cICP": codes(12, 13, full_range=0)},
        {"cICP": codes(99, 13)},
        {"cICP": codes(12, 99)},
        {"cICP": codes(2, 2)},
        {"cICP": b"\x0c\x0d"},
        {"gAMA": gama(0)},
        {"gAMA": gama(1)},
        {"gAMA": gama(2**32 - 1)},
        {"gAMA": b"\0\1"},
        {"gAMA": LINEAR + b"\0"},
        {"cHRM": chrm((31270, 0, *CHRM_P3[2:]))},
        {"cHRM": chrm((31270, 32900, *(30000, 60000) * 3))},
        {"cHRM": chrm((10000, 80000, *CHRM_P3[2:]))},
        {"cHRM": chrm((2**32 - 1,) * 8)},
        {"cHRM": b"short"},
        {"sRGB": b""},
        {"iCCP": b""},
    ],
    ids=lambda chunks: "+".join(f"{name}-{data.hex()[:16]}" for name, data in chunks.items()),
)
def test_read_png_with_void_chunks_ignores_them(chunks: dict[str, bytes]) -> None:
    picture = read(rgb_png(**chunks))
    np.testing.assert_array_equal(picture.rgb, COLORS)
    assert not picture.had_profile
    expected = read(rgb_png(gAMA=LINEAR)).rgb
    if "gAMA" not in chunks:  # what follows in the order counts
        np.testing.assert_array_equal(read(rgb_png(**chunks, gAMA=LINEAR)).rgb, expected)


@pytest.mark.parametrize("build", [avif, heic])
def test_read_avif_and_heic_with_nclx_is_converted(build: Any) -> None:
    photo = Image.fromarray(COLORS.repeat(16, 0).repeat(16, 1))
    stored = read(build(photo, *SRGB_CODES))
    assert not stored.had_profile
    np.testing.assert_allclose(stored.rgb, np.asarray(photo), atol=2)
    wide = read(build(photo, *P3))
    np.testing.assert_allclose(wide.rgb, to_srgb(to_light(stored.rgb) @ P3_TO_SRGB.T), atol=1.5)
    assert wide.had_profile
    signal = np.rint(pq(np.full((64, 64, 3), 0.18))).astype(np.uint8)
    np.testing.assert_allclose(read(build(Image.fromarray(signal), *PQ_2020)).rgb, to_srgb(np.array(0.18)), atol=4)
    assert not read(build(photo, 2, 2)).had_profile


@pytest.mark.parametrize("build", [avif, heic])
def test_read_avif_and_heic_with_profile_prefers_it_to_nclx(build: Any) -> None:
    photo = Image.fromarray(COLORS.repeat(16, 0).repeat(16, 1))
    picture = read(build(photo, *PQ_2020, icc_profile=SRGB))
    np.testing.assert_allclose(picture.rgb, np.asarray(photo), atol=2)


def test_read_avif_with_unlike_nclx_boxes_ignores_them() -> None:
    photo = Image.fromarray(COLORS.repeat(16, 0).repeat(16, 1))
    file = avif(photo, *P3)
    data = file.read()
    other = b"colrnclx" + struct.pack(">HHHB", *PQ_2020, 9, 0)
    with Image.open(file) as image:
        assert converter(image, io.BytesIO(data))
        assert not converter(image, io.BytesIO(data.replace(b"colrnclx", other + b"colrnclx")))


def test_write_of_a_converted_png_names_srgb_alone(tmp_path: Path) -> None:
    picture = read(rgb_png(cICP=codes(*P3), gAMA=LINEAR, cHRM=chrm(CHRM_ADOBE)))
    write(picture, tmp_path / "a.png", 95)
    data = (tmp_path / "a.png").read_bytes()
    assert b"iCCP" in data and not any(name in data for name in (b"cICP", b"gAMA", b"cHRM"))
    np.testing.assert_array_equal(read(tmp_path / "a.png").rgb, picture.rgb)


def test_read_gray_and_palette_and_deep_png_in_linear_light() -> None:
    ramp = np.arange(0, 256, 5, dtype=np.uint8)
    expected = to_srgb(ramp / 255)[:, None].repeat(3, 1)
    gray = read(png(len(ramp), 1, 8, 0, b"\0" + ramp.tobytes(), gAMA=LINEAR))
    np.testing.assert_allclose(gray.rgb[0], expected, atol=1)
    palette = b"".join(bytes([level] * 3) for level in ramp)
    indices = b"\0" + bytes(range(len(ramp)))
    indexed = read(png(len(ramp), 1, 8, 3, indices, gAMA=LINEAR, PLTE=palette))
    np.testing.assert_allclose(indexed.rgb[0], expected, atol=1)
    deep = read(png16((ramp.astype(np.uint16) * 257)[None, :, None].repeat(3, 2), 2, gAMA=LINEAR))
    np.testing.assert_allclose(deep.rgb[0], expected, atol=1)
