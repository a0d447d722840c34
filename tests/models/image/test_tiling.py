import numpy as np
import pytest

from impasto.models.image.tiling import Box, Tile, cut, equal_edges, even_edges, fixed_edges


@pytest.mark.parametrize(("height", "width"), [(16, 16), (300, 404), (20, 30000), (1000, 996)])
@pytest.mark.parametrize("side", [64, 100])
def test_cut_at_even_edges_covers_each_pixel_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for row in cut(even_edges(height, side, 4), even_edges(width, side, 4), margin=8):
        for box in (tile.inner for tile in row):
            covered[box.slices] += 1
            assert not {box.top % 4, box.left % 4, box.bottom % 4, box.right % 4} - {0}
            assert 0 < box.bottom - box.top <= side + 4 and 0 < box.right - box.left <= side + 4
    assert (covered == 1).all()


def test_cut_clips_margins_to_the_picture() -> None:
    tiles = cut([0, 64, 100], [0, 64, 128, 140], margin=40)
    assert [len(row) for row in tiles] == [3, 3]
    assert tiles[0][1] == Tile(Box(0, 64, 64, 128), Box(0, 24, 100, 140))
    assert tiles[1][0] == Tile(Box(64, 0, 100, 64), Box(24, 0, 100, 104))


def test_crop_of_a_tile_gives_the_slices_of_a_strided_tensor() -> None:
    tile = Tile(Box(0, 64, 64, 128), Box(0, 24, 100, 140))
    assert tile.crop() == (slice(0, 64), slice(40, 104))
    assert tile.crop(4) == (slice(0, 16), slice(10, 26))


@pytest.mark.parametrize(
    ("length", "edges"),
    [(20, [0, 20]), (95, [0, 95]), (96, [0, 64, 96]), (159, [0, 64, 159]), (160, [0, 64, 128, 160])],
)
def test_equal_edges_join_a_short_remainder_to_the_tile_before(length: int, edges: list[int]) -> None:
    assert equal_edges(length, 64, shortest=32) == edges


@pytest.mark.parametrize("length", [16, 88, 96, 100, 144, 148, 192, 1004])
def test_fixed_edges_cover_a_side_with_tiles_of_one_size(length: int) -> None:
    side, margin = 96, 24
    (row,) = cut([0, 1], fixed_edges(length, side, margin), margin, side)
    used = 0
    for tile in row:
        assert tile.outer.right == tile.outer.left + side and (tile.outer.right <= length or len(row) == 1)
        assert tile.inner.left == used < tile.inner.right <= tile.outer.right
        assert tile.outer.left == 0 or tile.inner.left - tile.outer.left >= margin
        assert tile.inner.right == length or tile.outer.right - tile.inner.right >= margin
        used = tile.inner.right
    assert used == length
