"""Cut a picture into tiles: boxes, their margins, and their coordinates at other scales."""

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

    def expand(self, margin: int, height: int, width: int) -> "Box":
        """Add a margin on each side, clipped to a picture of this size."""
        return Box(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(height, self.bottom + margin),
            min(width, self.right + margin),
        )

    def relative_to(self, outer: "Box") -> "Box":
        """Translate to coordinates whose origin is the top left corner of `outer`."""
        return Box(self.top - outer.top, self.left - outer.left, self.bottom - outer.top, self.right - outer.left)

    def downscale(self, step: int) -> "Box":
        """Divide the coordinates: the box of a tensor with one value for every `step` px."""
        return Box(self.top // step, self.left // step, self.bottom // step, self.right // step)


def grid(row_edges: list[int], column_edges: list[int]) -> list[list[Box]]:
    """Return rows of boxes between consecutive edges."""
    columns = [*pairwise(column_edges)]
    return [[Box(top, left, bottom, right) for left, right in columns] for top, bottom in pairwise(row_edges)]


def even_edges(length: int, side: int, multiple: int) -> list[int]:
    """Divide a length into about equal tiles of about `side` px at most; all edges are multiples of `multiple`."""
    units, count = length // multiple, min(length // multiple, math.ceil(length / side))
    return [multiple * (units * number // count) for number in range(count + 1)]
