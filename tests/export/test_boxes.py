import numpy as np
import pytest

from impasto.export.boxes import Box, boxes


@pytest.mark.parametrize(("height", "width"), [(16, 16), (300, 404), (20, 30000), (1000, 996)])
@pytest.mark.parametrize("side", [64, 100])
def test_tiles_cover_each_pixel_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for box in boxes(height, width, side, 4):
        covered[box.top : box.bottom, box.left : box.right] += 1
        assert not {box.top % 4, box.left % 4, box.bottom % 4, box.right % 4} - {0}
        assert 0 < box.bottom - box.top <= side + 4 and 0 < box.right - box.left <= side + 4
    assert (covered == 1).all()


def test_a_margin_ends_at_the_picture() -> None:
    outer = Box(0, 64, 64, 128).grown(40, 100, 140)
    assert outer == Box(0, 24, 100, 140)
    assert Box(0, 64, 64, 128).within(outer, 4) == (slice(0, 16), slice(10, 26))
