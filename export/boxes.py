"""The tiles of a picture: which part each is, with how much around it."""

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Box:
    """A part of a picture in px."""

    top: int
    left: int
    bottom: int
    right: int

    def grown(self, margin: int, height: int, width: int) -> "Box":
        """With a margin on each side, as far as a picture of this size goes."""
        return Box(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(height, self.bottom + margin),
            min(width, self.right + margin),
        )

    def within(self, outer: "Box", step: int) -> tuple[slice, slice]:
        """Where rows and columns of this box stand in those of `outer`, of a value at every `step`-th pixel."""
        return (
            slice((self.top - outer.top) // step, (self.bottom - outer.top) // step),
            slice((self.left - outer.left) // step, (self.right - outer.left) // step),
        )


def boxes(height: int, width: int, side: int, multiple: int) -> list[Box]:
    """Tiles of about `side` px, whose edges are multiples of `multiple`, for a picture whose sides are such too."""
    rows, columns = (_spans(length, side, multiple) for length in (height, width))
    return [Box(top, left, bottom, right) for top, bottom in rows for left, right in columns]


def _spans(length: int, side: int, multiple: int) -> list[tuple[int, int]]:
    units, count = length // multiple, min(length // multiple, math.ceil(length / side))
    edges = [multiple * (units * number // count) for number in range(count + 1)]
    return [*pairwise(edges)]
