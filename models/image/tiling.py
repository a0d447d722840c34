"""Cut a picture into overlapping tiles. Losses, large pictures and the models for tiles all cut with `cut`."""

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Box:
    """A rectangle in px; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns, as an index."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def relative_to(self, outer: "Box") -> "Box":
        """Translate to coordinates whose origin is the top left corner of `outer`."""
        return Box(self.top - outer.top, self.left - outer.left, self.bottom - outer.top, self.right - outer.left)

    def downscale(self, step: int) -> "Box":
        """Divide the coordinates: the box of a tensor with one value for every `step` px."""
        return Box(self.top // step, self.left // step, self.bottom // step, self.right // step)


@dataclass(frozen=True)
class Tile:
    """A tile of a picture.

    Attributes:
        inner: The part whose result is used. The inner boxes of all tiles cover the picture once.
        outer: The part that is read: the inner one and a margin, as wide as a receptive field.
    """

    inner: Box
    outer: Box

    def crop(self, step: int = 1) -> tuple[slice, slice]:
        """Return the rows and columns of `inner` in a result for `outer` that has one value for every `step` px."""
        return self.inner.relative_to(self.outer).downscale(step).slices


def cut(row_edges: list[int], column_edges: list[int], margin: int, side: int | None = None) -> list[list[Tile]]:
    """Cut a picture into rows of tiles.

    Args:
        row_edges: The edges of the inner boxes from top to bottom: 0, ..., the height of the picture.
        column_edges: Those from left to right.
        margin: The margin in px; there is none beyond the picture.
        side: The side of all outer boxes in px, for edges from `fixed_edges`. A last tile then begins further to the
            top or left instead of ending at the edge of the picture, and only a picture of one tile is exceeded.

    Returns:
        The tiles, row by row.
    """
    columns = _spans(column_edges, margin, side)
    return [
        [
            Tile(Box(top, left, bottom, right), Box(outer_top, outer_left, outer_bottom, outer_right))
            for (left, right), (outer_left, outer_right) in columns
        ]
        for (top, bottom), (outer_top, outer_bottom) in _spans(row_edges, margin, side)
    ]


def even_edges(length: int, side: int, multiple: int) -> list[int]:
    """Divide a length into about equal tiles of about `side` px at most; all edges are multiples of `multiple`."""
    units, count = length // multiple, min(length // multiple, math.ceil(length / side))
    return [multiple * (units * number // count) for number in range(count + 1)]


def equal_edges(length: int, side: int, shortest: int) -> list[int]:
    """Divide a length into tiles of `side` px and a remainder; one below `shortest` px joins the tile before it."""
    return [*range(0, max(1, length - shortest + 1), side), length]


def fixed_edges(length: int, side: int, margin: int) -> list[int]:
    """Divide a length into the inner parts of tiles of exactly `side` px with margins.

    StyleTransferLarge.kt and .swift do the same.
    """
    edges, start, last = [0], 0, max(0, length - side)
    while start < last:
        edges.append(start + side - margin)
        start = min(start + side - 2 * margin, last)
    return [*edges, length]


def _spans(edges: list[int], margin: int, side: int | None) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return along one side of a picture the inner and outer span of each tile."""
    length, spans = edges[-1], []
    for start, end in pairwise(edges):
        first, last = max(0, start - margin), min(length, end + margin)
        if side is not None:
            first = min(first, max(0, length - side))
            last = first + side
        spans.append(((start, end), (first, last)))
    return spans
