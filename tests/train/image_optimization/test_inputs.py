import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.train.image_optimization.inputs import OptimizationInputs
from tests.helpers.pictures import png

ALPHA = np.zeros((40, 40), np.uint8)
ALPHA[10:30, 10:30] = 255


def inputs(tmp_path: Path, hidden: int) -> OptimizationInputs:
    rgb = np.random.default_rng(0).integers(0, 200, (40, 40, 3), np.uint8)
    rgb[ALPHA == 0] = hidden
    path = tmp_path / f"{hidden}.png"
    Image.fromarray(np.dstack([rgb, ALPHA])).save(path)
    mask = tmp_path / f"mask-{hidden}.png"
    white = np.where(ALPHA[..., None] == 0, hidden, 255).repeat(3, 2).astype(np.uint8)
    Image.fromarray(np.dstack([white, ALPHA])).save(mask)
    line = [f"content={path}", f"style={path}", f"init={path}", f"masks=[{mask}]", "size=40", "style.size=40"]
    return OptimizationInputs(app.compose("optimize", line))


@pytest.mark.parametrize("read", ["content", "initial", "style_images", "style_masks"])
def test_inputs_hidden_colors_change_nothing(tmp_path: Path, read: str) -> None:
    black, white = (np.asarray(getattr(inputs(tmp_path, hidden), read)(40)[0]).squeeze() for hidden in (0, 255))
    np.testing.assert_array_equal(black, white)
    assert (black[..., 0, :] == (0 if read == "style_masks" else 255)).all()


def test_inputs_result_has_the_alpha_of_the_photo(tmp_path: Path) -> None:
    photo = inputs(tmp_path, 255)
    np.testing.assert_array_equal(photo.picture(photo.content(40)).alpha, ALPHA)


def test_inputs_convert_the_photo_and_not_the_mask(tmp_path: Path) -> None:
    path = tmp_path / "linear.png"
    rows = (b"\0" + bytes([128] * 40)) * 40
    path.write_bytes(png(40, 40, 8, 0, rows, gAMA=struct.pack(">I", 100_000)).read())
    line = [f"content={path}", f"style={path}", f"masks=[{path}]", "size=40", "style.size=40"]
    images = OptimizationInputs(app.compose("optimize", line))
    for pixels in (images.content(40), images.style_images(40)[0]):
        np.testing.assert_allclose(np.asarray(pixels), 188, atol=1)  # sRGB's value of light 128/255
    masks = images.style_masks(40)
    assert masks is not None
    np.testing.assert_allclose(np.asarray(masks), 128 / 255, atol=1e-6)
