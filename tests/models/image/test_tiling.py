import numpy as np
import pytest

from impasto.models.image.tiling import Box, even_edges, grid


@pytest.mark.parametrize(("height", "width"), [(16, 16), (300, 404), (20, 30000), (1000, 996)])
@pytest.mark.parametrize("side", [64, 100])
def test_grid_of_even_edges_covers_each_pixel_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for row in grid(even_edges(height, side, 4), even_edges(width, side, 4)):
        for box in row:
            covered[box.slices] += 1
            assert not {box.top % 4, box.left % 4, box.bottom % 4, box.right % 4} - {0}
            assert 0 < box.bottom - box.top <= side + 4 and 0 < box.right - box.left <= side + 4
    assert (covered == 1).all()


def test_expand_at_the_border_is_clipped_to_the_picture() -> None:
    assert Box(0, 64, 64, 128).expand(40, 100, 140) == Box(0, 24, 100, 140)


def test_relative_box_downscaled_gives_the_slices_of_a_strided_tensor() -> None:
    inner = Box(0, 64, 64, 128).relative_to(Box(0, 24, 100, 140))
    assert inner == Box(0, 40, 64, 104)
    assert inner.downscale(4).slices == (slice(0, 16), slice(10, 26))
