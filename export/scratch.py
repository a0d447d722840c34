"""Values of a whole picture in a temporary file, for the passes of export/streamed.py."""

import tempfile
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class NoRoom(Exception):  # noqa: N818 - no error: the way without a file is left
    """A value cannot be kept in a file: the disk is full, or 16 bits are too few for it."""


class Scratch:
    """A value [C, height, W] of a whole picture, in 16 bits. Everything raises NoRoom.

    `edges` are the columns where tiles begin, and W. The columns of tiles lie one after the other, so that a tile is
    one piece of the file, and row by row in them, of all channels, so that what is copied is long in memory.
    """

    def __init__(self, height: int, edges: Sequence[int]) -> None:
        self._height, self._channels = height, 0
        self._strips = [*pairwise(edges)]
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it goes with this object
        except OSError as error:
            raise NoRoom from error

    def write(self, rows: slice, columns: slice, values: Floats) -> None:
        """Keep values [C, h, w] of rows of one column of tiles."""
        self._channels = len(values)
        with np.errstate(over="ignore"):
            half = np.ascontiguousarray(values.transpose(1, 0, 2), np.float16)
        if not np.isfinite(half).all():
            raise NoRoom
        try:
            self._file.seek(self._place(rows.start, (columns.start, columns.stop)))
            if self._file.write(half.data) != half.nbytes:
                raise NoRoom
        except OSError as error:
            raise NoRoom from error

    def read(self, rows: slice, columns: slice) -> Floats:
        """Values [1, C, h, w] of a part."""
        height = rows.stop - rows.start
        values = np.empty((1, self._channels, height, columns.stop - columns.start), np.float32)
        for left, right in self._strips:
            first, last = max(left, columns.start), min(right, columns.stop)
            if first >= last:
                continue
            half = np.empty((height, self._channels, right - left), np.float16)
            self._file.seek(self._place(rows.start, (left, right)))
            if self._file.readinto(half.data) != half.nbytes:
                raise NoRoom
            part = half[:, :, first - left : last - left].transpose(1, 0, 2)
            values[0, :, :, first - columns.start : last - columns.start] = part
        return values

    def _place(self, row: int, strip: tuple[int, int]) -> int:
        left, right = strip
        return 2 * self._channels * (self._height * left + row * (right - left))
