"""Pictures of any size in constant memory: an exported file works on tiles, normalised as the whole picture is.

A tile is computed with a margin as wide as the network looks, and the picture's own border stays a border; instance
norms get the mean and variance of the whole picture. So nothing depends on how a picture is cut, and no seam arises.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.configs.errors import RequestError
from impasto.configs.shipping import TilesConfig
from impasto.export.label import INPUT
from impasto.models import exported
from impasto.models.pictures import Picture, resize

if TYPE_CHECKING:
    import onnx

    from impasto.export.norms import Statistics

Tell = Callable[[float], None]
"""Told how much of a picture is done, 0..1."""


class Model:
    """An exported file for pictures of any size: whole up to `tiles.above`, larger ones in tiles.

    May be called from several threads at once; large pictures wait for each other. Raises RequestError for a file that
    cannot be used.
    """

    def __init__(self, model: Path, threads: int, tiles: TilesConfig) -> None:
        self._path, self._threads, self._tiles = exported.find(model), threads, tiles
        self._session: Any = exported.load(self._path, threads)
        self._one = Lock()

    def stylize(self, picture: Picture, strength: float = 1.0, tell: Tell = lambda done: None) -> Picture:
        """A stylized picture; size, alpha and profile stay. Raises RequestError."""
        session = self._session or exported.load(self._path, self._threads)
        height, width = picture.rgb.shape[:2]
        if height * width <= self._tiles.above * 1e6:
            self._session = session
            return exported.stylize(session, picture, strength)
        feeds = exported.strength_feed(session, strength)
        with self._one:
            session = self._session = None  # and gone is the memory that its last picture took
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
                "for; name the .onnx file, or raise tiles.above"
            )
        import onnx  # only large pictures need it

        from impasto.export.streamed import Stream

        model = onnx.load(self._path)
        height, width = picture.rgb.shape[:2]
        known = self._of_thumbnail(model, picture) if self._tiles.statistics == "thumbnail" else []
        stream = Stream(model, exported.at_least(picture.rgb), self._threads, self._tiles, tell)
        rgb = stream.stylized(known, feeds)[:height, :width]
        return replace(picture, rgb=np.ascontiguousarray(rgb))

    def _of_thumbnail(self, model: "onnx.ModelProto", picture: Picture) -> "Statistics":
        """The statistics of a smaller copy, of as many pixels as are still worked on whole."""
        from impasto.export import norms

        height, width = picture.rgb.shape[:2]
        scale = (max(self._tiles.above, 0.1) * 1e6 / (height * width)) ** 0.5
        size = round(height * scale), round(width * scale)
        small = exported.at_least(resize(picture.rgb, (max(1, size[0]), max(1, size[1]))))
        session = exported.open_session(norms.measuring(model).SerializeToString(), self._threads, arena=False)
        rgba = np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])
        (found,) = session.run(None, {INPUT: rgba[None]})
        return norms.unpacked(model, found)
