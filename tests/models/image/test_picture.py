import numpy as np

from impasto.models.image.picture import resize
from tests.helpers.pictures import corners


def test_resize_gives_size_with_antialiasing() -> None:
    rgb = corners(100, 150)
    assert resize(rgb, 50).shape == (50, 75, 3)
    assert resize(rgb[:, :, 0], (30, 20)).shape == (30, 20)
    assert resize(rgb, 100) is rgb
    assert resize(np.zeros((1000, 1, 3), np.uint8), (10, 1)).shape == (10, 1, 3)
    fine = np.tile(
        np.array([[0], [255]], np.uint8), (64, 128)
    )  # stripes of one pixel: without antialiasing black or white
    assert np.abs(resize(fine, 16).astype(int) - 127).max() < 12
