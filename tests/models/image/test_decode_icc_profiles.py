"""Decoding pictures with ICC profiles and of other color modes: the result is sRGB."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from impasto.models.image.decode import read
from tests.helpers.pictures import (
    D50,
    SRGB,
    cmyk_profile,
    corners,
    encoded,
    linear_gray_profile,
    nearly_srgb_profile,
    profile,
    swapped_profile,
)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])  # Pillow writes JPEG the Adobe way, inverted
def test_read_cmyk_converts_to_srgb(kind: str) -> None:
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert np.abs(read(encoded(inks, kind)).rgb.astype(int) - (0, 255, 255)).max() < 4
    managed = read(encoded(inks, kind, icc_profile=cmyk_profile()))
    assert managed.had_profile
    assert (managed.rgb[..., 0] > 220).all() and (managed.rgb[..., 1:] < 60).all()


def test_read_lab_and_ycbcr_converts_to_srgb() -> None:
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    picture = lab.apply(Image.fromarray(corners()))
    del picture.info["icc_profile"]
    assert (
        np.abs(read(encoded(picture, "TIFF")).rgb.astype(int) - corners()).max() < 25
    )  # 8 bits of Lab are coarse in green
    ycbcr = Image.fromarray(corners()).convert("YCbCr")
    assert np.abs(read(encoded(ycbcr, "TIFF")).rgb.astype(int) - corners()).max() < 6


def test_read_with_profile_converts_to_srgb() -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG", icc_profile=swapped_profile()))
    assert picture.had_profile
    assert np.abs(picture.rgb.astype(int) - corners()[..., ::-1]).max() <= 3
    gray = Image.new("L", (4, 4), 55)  # linear light of 55/255 is sRGB's 128
    assert np.abs(read(encoded(gray, "PNG", icc_profile=linear_gray_profile())).rgb.astype(int) - 128).max() <= 2
    both = Image.merge("LA", [gray, gray])
    picture = read(encoded(both, "PNG", icc_profile=linear_gray_profile()))
    assert (
        picture.alpha is not None and (picture.alpha == 55).all() and np.abs(picture.rgb.astype(int) - 128).max() <= 2
    )
    picture = read(encoded(gray, "PNG", icc_profile=swapped_profile()))  # gray in the colors of a screen
    assert picture.had_profile and np.abs(picture.rgb.astype(int) - 55).max() <= 2
    alpha = np.dstack([corners(), np.full((32, 48), 9, np.uint8)])
    picture = read(encoded(Image.fromarray(alpha), "PNG", icc_profile=swapped_profile()))
    assert picture.alpha is not None and (picture.alpha == 9).all() and picture.rgb[0, 0, 2] > 250


@pytest.mark.parametrize("same", [SRGB, nearly_srgb_profile()])
def test_read_with_srgb_profile_is_exact(same: bytes) -> None:
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
        linear_gray_profile(),
        cmyk_profile(),
    ],
)
def test_read_with_broken_or_mismatched_profile_ignores_it(broken: bytes) -> None:
    picture = read(encoded(Image.fromarray(corners()), "PNG", icc_profile=broken))
    np.testing.assert_array_equal(picture.rgb, corners())
    assert not picture.had_profile


def test_read_cmyk_with_rgb_profile_ignores_it() -> None:
    assert not read(encoded(Image.new("CMYK", (4, 4)), "TIFF", icc_profile=SRGB)).had_profile


@pytest.mark.parametrize("color_space", [2, 0xFFFF])
def test_read_adobe_rgb_by_exif_alone_is_converted(tmp_path: Path, color_space: int) -> None:
    """As cameras write it, without a profile: full green of Adobe RGB is beyond sRGB, its half is not."""
    photo = Image.new("RGB", (8, 8), (100, 128, 110))
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    exif.get_ifd(0x8769)[0xA001] = color_space
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    photo.save(tmp_path / "a.png", exif=exif)
    linear = np.array([100, 128, 110]) / 255
    matrix = np.array([[1.3983, -0.3983, 0], [0, 1, 0], [0, -0.0429, 1.0429]])  # Adobe RGB to sRGB, both D65
    light = matrix @ linear**2.19921875
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    picture = read(tmp_path / "a.png")
    np.testing.assert_allclose(picture.rgb[0, 0], expected, atol=2)
    assert picture.had_profile
    exif.get_ifd(0x8769)[0xA001] = 1
    photo.save(tmp_path / "b.png", exif=exif)
    assert (read(tmp_path / "b.png").rgb == (100, 128, 110)).all()
