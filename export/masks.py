"""Masks: grey pictures that say where a photo is painted."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import RequestError
from impasto.models.colors import grey
from impasto.models.pictures import find_pictures, read


class Masks:
    """What `mask=` names: one picture for every photo, or a folder with one of the same name for each.

    Raises RequestError where `path` does not exist, or is a file that is no picture.
    """

    def __init__(self, path: Path, invert: bool) -> None:
        self.path, self.invert = path, invert
        if not path.exists():
            raise RequestError(f"mask={path} does not exist; name a grey picture, or a folder of them")
        self._only = None if path.is_dir() else self._read(path)

    def of(self, name: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """The mask [H, W] of a photo of that name and size (height, width), 255 where it is painted."""
        path, mask = self.path, self._only
        if mask is None:
            path = self._named(name)
            mask = self._read(path)
        if mask.shape != shape:
            (height, width), (high, wide) = mask.shape, shape
            raise RequestError(f"mask {path} is {width}x{height}, but {name} is {wide}x{high}; give one as large")
        return mask

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

    def _read(self, path: Path) -> NDArray[np.uint8]:
        picture = read(path)
        mask = grey(picture.rgb)
        if picture.alpha is not None:  # a subject cut out: nothing is painted where nothing is left
            mask = ((mask.astype(np.uint16) * picture.alpha + 127) // 255).astype(np.uint8)
        return 255 - mask if self.invert else mask
