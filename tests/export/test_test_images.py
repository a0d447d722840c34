import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from impasto.configs.errors import CheckFailed
from impasto.export import test_images


def invert(rgb: test_images.Pixels) -> test_images.Pixels:
    return 255 - rgb


def test_write_then_read_returns_the_same_images(tmp_path: Path) -> None:
    images = [test_images.golden_image(invert, *size) for size in test_images.SIZES]
    test_images.write(tmp_path / "golden", images)
    again = {picture.name: picture for picture in test_images.read(tmp_path / "golden")}
    assert {*again} == {f"{width}x{height}" for height, width in test_images.SIZES}
    for picture in images:
        np.testing.assert_array_equal(again[picture.name].photo, picture.photo)
        np.testing.assert_array_equal(again[picture.name].stylized, picture.stylized)
        np.testing.assert_array_equal(picture.stylized[..., :3], 255 - picture.photo[..., :3])


def test_read_runs_no_program_for_another_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would start Ghostscript to read EPS, whatever the file is named."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/RUN\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    for name in ("8x8.png", "8x8.stylized.png"):
        (tmp_path / name).write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
        )
    with pytest.raises(CheckFailed, match=r"golden/8x8\.png cannot be read as a PNG image; get the bundle again"):
        test_images.read(tmp_path)
    assert not (tmp_path / "RUN").exists()


@pytest.mark.parametrize(
    ("sizes", "kept", "sentence"),
    [
        (((8, 8), (7, 8)), None, r"8x8\.stylized\.png is not of the size of its photo 8x8\.png"),
        (((2000, 1000), (2000, 1000)), None, r"8x8\.png has 2000x1000 pixels, too many for it"),
        (((20_000, 15_000), (8, 8)), None, r"8x8\.png cannot be read as a PNG image"),  # Pillow's own limit
        (((64, 64), (64, 64)), 45, r"8x8\.png cannot be read as a PNG image"),
        (((64, 64), (64, 64)), 0, r"8x8\.png cannot be read as a PNG image"),
    ],
)
def test_read_gives_one_sentence_on_an_odd_image(tmp_path: Path, sizes: Any, kept: int | None, sentence: str) -> None:
    for name, size in zip(("8x8.png", "8x8.stylized.png"), sizes, strict=True):
        Image.new("1", size).save(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:kept])
    with pytest.raises(CheckFailed, match=f"^golden/{sentence}.*; get the bundle again from its source$"):
        test_images.read(tmp_path)


def test_read_names_a_photo_that_is_missing(tmp_path: Path) -> None:
    Image.new("1", (8, 8)).save(tmp_path / "8x8.stylized.png")
    with pytest.raises(CheckFailed, match=r"golden/8x8\.png cannot be read"):
        test_images.read(tmp_path)


def test_golden_image_of_96x64_has_every_alpha_others_are_opaque() -> None:
    images = {
        picture.name: picture for picture in (test_images.golden_image(invert, *size) for size in test_images.SIZES)
    }
    alphas = {name: {*np.unique(picture.photo[..., 3])} for name, picture in images.items()}
    assert alphas.pop("96x64") >= {0, 255}
    assert all(alpha == {255} for alpha in alphas.values())
    assert all((picture.photo[..., 3] == picture.stylized[..., 3]).all() for picture in images.values())


def test_picture_is_deterministic_with_flat_saturated_and_noisy_areas() -> None:
    rgb = test_images.picture(256, 256)
    np.testing.assert_array_equal(rgb, test_images.picture(256, 256))
    assert {0, 255} < {*np.unique(rgb)}
    assert (rgb[200:, :80] == 255).all() and (rgb[200:, 180:] == 0).all()
    assert rgb[80:120, 60:90].std(axis=(0, 1)).max() == 0  # flat
    assert rgb[80:120, 200:240].std() > 10
