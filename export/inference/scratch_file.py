"""A temporary file for the intermediate tensors of `tiled_session`."""

import tempfile
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class ScratchUnavailable(Exception):  # noqa: N818 - a signal to recompute instead
    """A tensor cannot be stored: the disk is full, or a value exceeds float16."""


class ScratchFile:
    """A float16 tensor [C, height, W] of a whole picture, on disk. All methods raise ScratchUnavailable.

    The file holds one column of tiles after the other, and in a column each row with all its channels. So a tile is
    contiguous in the file, and copies are long.

    Args:
        height: Height of the tensor.
        edges: The left edges of the columns of tiles, and W.
    """

    def __init__(self, height: int, edges: Sequence[int]) -> None:
        self._height, self._channels = height, 0
        self._strips = [*pairwise(edges)]
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
        except OSError as error:
            raise ScratchUnavailable from error

    def write(self, rows: slice, columns: slice, values: Floats) -> None:
        """Store values [C, h, w] of rows of one column of tiles."""
        self._channels = len(values)
        with np.errstate(over="ignore"):
            halves = np.ascontiguousarray(values.transpose(1, 0, 2), np.float16)
        if not np.isfinite(halves).all():
            raise ScratchUnavailable
        try:
            self._file.seek(self._offset(rows.start, (columns.start, columns.stop)))
            if self._file.write(halves.data) != halves.nbytes:
                raise ScratchUnavailable
        except OSError as error:
            raise ScratchUnavailable from error

    def read(self, rows: slice, columns: slice) -> Floats:
        """Read values [1, C, h, w]."""
        height = rows.stop - rows.start
        values = np.empty((1, self._channels, height, columns.stop - columns.start), np.float32)
        for left, right in self._strips:
            first, last = max(left, columns.start), min(right, columns.stop)
            if first >= last:
                continue
            halves = np.empty((height, self._channels, right - left), np.float16)
            self._file.seek(self._offset(rows.start, (left, right)))
            if self._file.readinto(halves.data) != halves.nbytes:
                raise ScratchUnavailable
            part = halves[:, :, first - left : last - left].transpose(1, 0, 2)
            values[0, :, :, first - columns.start : last - columns.start] = part
        return values

    def _offset(self, row: int, strip: tuple[int, int]) -> int:
        left, right = strip
        return 2 * self._channels * (self._height * left + row * (right - left))
