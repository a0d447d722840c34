"""Masks: grey pictures that say where a photo is painted."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import RequestError
from impasto.models.colors import grey
from impasto.models.pictures import find_pictures, read


@dataclass(frozen=True)
class Mask:
    """A mask [height, width], packed: plain, that of a large photo would take a byte a pixel while it is painted."""

    shape: tuple[int, int]
    packed: bytes

    def over(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Its bytes, stretched to a size (height, width)."""
        return stretched(np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape), shape)


class Masks:
    """What `mask=` names: one picture for every photo, or a folder with one of the same name for each.

    Raises RequestError where `path` does not exist, or is a file that is no picture.
    """

    def __init__(self, path: Path, invert: bool) -> None:
        self.path, self.invert = path, invert
        if not path.exists():
            raise RequestError(f"mask={path} does not exist; name a grey picture, or a folder of them")
        self._only = None if path.is_dir() else self._read(path)

    def of(self, name: Path, shape: tuple[int, int]) -> Callable[[], NDArray[np.uint8]]:
        """What gives the mask [H, W] of a photo of that name and size (height, width), 255 where it is painted.

        One of another size is stretched over the photo; RequestError for one of another shape, at once.
        """
        path, mask = self.path, self._only
        if mask is None:
            path = self._named(name)
            mask = self._read(path)
        (height, width), (high, wide) = mask.shape, shape
        if abs(width * high - height * wide) > max(shape):  # by more than rounding to pixels of its own
            raise RequestError(
                f"mask {path} is {width}x{height}, but {name} is {wide}x{high}; give one of the same shape"
            )
        return partial(mask.over, shape)

    def _named(self, name: Path) -> Path:
        """a.jpg's mask is a.jpg, or else the one picture a.* (a.png)."""
        found = self._names.get(name.with_suffix(""), [])
        same = [mask for mask in found if mask.name == name.name] or found
        if len(same) != 1:
            fault = "holds no mask" if not same else f"holds {len(same)} masks"
            raise RequestError(
                f"mask={self.path} {fault} for {name}; put one there, such as {name.with_suffix('.png')}"
            )
        return same[0]

    @cached_property
    def _names(self) -> dict[Path, list[Path]]:
        names: dict[Path, list[Path]] = {}
        for mask in find_pictures(self.path):
            names.setdefault(mask.relative_to(self.path).with_suffix(""), []).append(mask)
        return names

    def _read(self, path: Path) -> Mask:
        picture = read(path)
        mask = grey(picture.rgb)
        if picture.alpha is not None:  # a subject cut out: nothing is painted where nothing is left
            mask = ((mask.astype(np.uint16) * picture.alpha + 127) // 255).astype(np.uint8)
        return Mask(mask.shape, zlib.compress((255 - mask if self.invert else mask).data, 1))


def stretched(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A mask [h, w] at another size (height, width), bilinear, in whole numbers: as StyleTransferControls.kt does."""
    if mask.shape == shape:
        return mask
    (rows, down), (columns, right) = (_places(*lengths) for lengths in zip(shape, mask.shape, strict=True))
    below, next_ = np.minimum(rows + 1, mask.shape[0] - 1), np.minimum(columns + 1, mask.shape[1] - 1)
    made = np.empty(shape, np.uint8)
    for y in range(shape[0]):  # row by row, since a large photo in 32 bits would not fit beside its bytes
        upper, lower = (row[columns] * (256 - right) + row[next_] * right for row in mask[[rows[y], below[y]]])
        made[y] = (upper * (256 - down[y]) + lower * down[y] + (1 << 15)) >> 16
    return made


def _places(length: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Between the middles of which pixels of `size` those of `length` lie: the first one, and 256ths beyond it."""
    twice = np.clip((2 * np.arange(length, dtype=np.int64) + 1) * size - length, 0, 2 * length * (size - 1))
    places = (twice * 128 // length).astype(np.int32)
    return places >> 8, places & 255
