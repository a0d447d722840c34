"""Pictures of any size in constant memory: an exported file works on tiles, normalised as the whole picture is.

A tile is computed with a margin as wide as the network looks, and the picture's own border stays a border; instance
norms get the mean and variance of the whole picture. So nothing depends on how a picture is cut, and no seam arises.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.configs.errors import RequestError
from impasto.configs.shipping import TilesConfig
from impasto.models import exported
from impasto.models.pictures import Picture

if TYPE_CHECKING:
    from impasto.export.norms import Statistics

Tell = Callable[[float], None]
"""Told how much of a picture is done, 0..1."""


class Model:
    """An exported file for pictures of any size: whole up to `tiles.above`, larger ones in tiles.

    May be called from several threads at once. Raises RequestError for a file that cannot be used. `alike` says that
    all pictures are of one size: the memory for one is then kept for the next.
    """

    def __init__(self, model: Path, threads: int, tiles: TilesConfig, alike: bool = False) -> None:
        self._path, self._threads, self._tiles = exported.find(model), threads, tiles
        self._session = exported.load(self._path, threads, arena=alike)

    def stylize(self, picture: Picture, strength: float = 1.0, tell: Tell = lambda done: None) -> Picture:
        """A stylized picture; size, alpha and profile stay. Raises RequestError."""
        height, width = picture.rgb.shape[:2]
        if height * width <= self._tiles.above * 1e6:
            return exported.stylize(self._session, picture, strength)
        feeds = exported.strength_feed(self._session, strength)
        try:
            return self._in_tiles(picture, feeds, tell)
        except RequestError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise exported.failure(error, height, width) from error

    def _in_tiles(self, picture: Picture, feeds: dict[str, Any], tell: Tell) -> Picture:
        if self._path.suffix == ".ort":
            raise RequestError(
                f"{self._path} takes pictures whole, which one of over {self._tiles.above:g} megapixels is too large "
                "for; name the .onnx file, or raise tiles.above (of a video tiles.frames)"
            )
        import onnx  # only large pictures need it

        from impasto.export import sampled
        from impasto.export.streamed import Stream

        model = onnx.load(self._path)
        height, width = picture.rgb.shape[:2]
        known: Statistics = []
        if self._tiles.statistics == "thumbnail":
            known = sampled.statistics(
                picture.rgb,
                self._tiles.thumbnail * 1e6,
                lambda rgb: Stream(model, exported.at_least(rgb), self._threads, self._tiles).statistics(),
            )
        stream = Stream(model, exported.at_least(picture.rgb), self._threads, self._tiles, tell)
        rgb = stream.stylized(known, feeds)[:height, :width]
        return replace(picture, rgb=np.ascontiguousarray(rgb))
