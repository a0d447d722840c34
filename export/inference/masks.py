"""Masks: gray pictures that select where a photo is stylized."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import UsageError
from impasto.models.image.color import gray
from impasto.models.image.decode import read
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import Picture


@dataclass(frozen=True)
class Mask:
    """A compressed mask [height, width]: a large photo's mask would take a byte a pixel during inference."""

    shape: tuple[int, int]
    packed: bytes

    def resized(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the mask at a size (height, width)."""
        return resize_mask(np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape), shape)

    def fitted(self, shape: tuple[int, int], name: str, photo: str) -> Callable[[], NDArray[np.uint8]]:
        """Return a function that returns the mask at the size of a photo (height, width).

        `name` and `photo` are the names for the UsageError that is raised if it has another aspect ratio.
        """
        (height, width), (photo_height, photo_width) = self.shape, shape
        if abs(width * photo_height - height * photo_width) > max(shape):  # more than rounding to whole px
            raise UsageError(
                f"{name} is {width}x{height}, but {photo} is {photo_width}x{photo_height}; use equal aspect ratios"
            )
        return partial(self.resized, shape)


def from_picture(picture: Picture, invert: bool) -> Mask:
    """Return the mask that a picture shows, which was read without a conversion of its colors."""
    mask = gray(picture.rgb)
    if picture.alpha is not None:  # a cut-out subject: transparent regions are not stylized
        mask = ((mask.astype(np.uint16) * picture.alpha + 127) // 255).astype(np.uint8)
    return Mask(mask.shape, zlib.compress((255 - mask if invert else mask).data, 1))


class Masks:
    """The mask of each photo, as `mask=` names it.

    Args:
        path: One picture for all photos, or a folder with a picture of the same name for each photo.
        invert: Whether to exchange black and white.

    Raises:
        UsageError: `path` does not exist, or is a file that is not a picture.
    """

    def __init__(self, path: Path, invert: bool) -> None:
        self.path, self.invert = path, invert
        if not path.exists():
            raise UsageError(f"mask={path} does not exist; name a gray picture or a folder of them")
        self._single = None if path.is_dir() else self._read(path)

    def load(self, name: Path, shape: tuple[int, int]) -> Callable[[], NDArray[np.uint8]]:
        """Load the mask of a photo.

        Args:
            name: The photo's path relative to the input folder.
            shape: The photo's height and width.

        Returns:
            A function that returns the mask [H, W], resized to the photo; 255 where the photo is stylized.

        Raises:
            UsageError: There is no mask, or it has another aspect ratio.
        """
        path, mask = self.path, self._single
        if mask is None:
            path = self._find(name)
            mask = self._read(path)
        return mask.fitted(shape, f"mask {path}", str(name))

    def _find(self, name: Path) -> Path:
        """Find the mask of a.jpg: a.jpg, or else the only picture a.* (a.png)."""
        candidates = self._by_stem.get(name.with_suffix(""), [])
        masks = [mask for mask in candidates if mask.name == name.name] or candidates
        if len(masks) != 1:
            fault = "contains no mask" if not masks else f"contains {len(masks)} masks"
            raise UsageError(f"mask={self.path} {fault} for {name}; add one, such as {name.with_suffix('.png')}")
        return masks[0]

    @cached_property
    def _by_stem(self) -> dict[Path, list[Path]]:
        masks: dict[Path, list[Path]] = {}
        for mask in find_pictures(self.path):
            masks.setdefault(mask.relative_to(self.path).with_suffix(""), []).append(mask)
        return masks

    def _read(self, path: Path) -> Mask:
        return from_picture(read(path, convert_colors=False), self.invert)


def resize_mask(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a mask [h, w] to (height, width), bilinear in integer arithmetic, as StyleTransferControls.kt does."""
    if mask.shape == shape:
        return mask
    (rows, row_weights), (columns, column_weights) = (
        _source_positions(*lengths) for lengths in zip(shape, mask.shape, strict=True)
    )
    next_rows, next_columns = np.minimum(rows + 1, mask.shape[0] - 1), np.minimum(columns + 1, mask.shape[1] - 1)
    output = np.empty(shape, np.uint8)
    for y in range(shape[0]):  # row by row: a large photo in 32 bits would not fit beside its bytes
        upper, lower = (
            row[columns] * (256 - column_weights) + row[next_columns] * column_weights
            for row in mask[[rows[y], next_rows[y]]]
        )
        output[y] = (upper * (256 - row_weights[y]) + lower * row_weights[y] + (1 << 15)) >> 16
    return output


def _source_positions(length: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Map the pixel centers of `length` to those of `size`: the pixel before each, and the offset in 1/256 px."""
    twice = np.clip((2 * np.arange(length, dtype=np.int64) + 1) * size - length, 0, 2 * length * (size - 1))
    positions = (twice * 128 // length).astype(np.int32)
    return positions >> 8, positions & 255
