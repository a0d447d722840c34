"""A loaded model and what is asked of it: from one picture to another."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from impasto.configs.shipping import StylizeConfig
from impasto.export import large
from impasto.export.large import Tell
from impasto.models import colors, texture, zoo
from impasto.models.pictures import Picture, resize


class Painter:
    """Paints pictures as a request says; may be called from several threads at once. Raises RequestError."""

    def __init__(self, config: StylizeConfig, threads: int, frames: bool = False) -> None:
        """With `frames` of a video, which are of one size, memory is kept from one to the next."""
        self.config = config
        above = config.tiles.frames if frames else config.tiles.above
        self.model = large.Model(
            zoo.resolve(config.model, ".onnx"), threads, replace(config.tiles, above=above), frames
        )

    def __call__(
        self, photo: Picture, mask: Callable[[], NDArray[np.uint8]] | None = None, tell: Tell = lambda done: None
    ) -> Picture:
        """The painted picture: as large, the photo's alpha and metadata.

        A mask [H, W] is 255 where it is painted; it is asked for when that is done, since memory is short until then.
        """
        rgb = self._stylized(photo, tell)
        if self.config.keep_colors:
            rgb = colors.keep_colors(rgb, photo.rgb, out=rgb)
        if mask is not None:
            rgb = colors.blend(rgb, photo.rgb, mask(), out=rgb)
        return replace(photo, rgb=rgb)

    def _stylized(self, photo: Picture, tell: Tell) -> NDArray[np.uint8]:
        """What the model makes of a photo: of the whole, or of a small one where the strokes are to be large."""
        size, strength = self.config.texture, self.config.strength
        if size is None or size >= min(photo.rgb.shape[:2]):
            return self.model.stylize(photo, strength, tell).rgb
        small = resize(photo.rgb, size)
        rgb = texture.enlarge(self.model.stylize(Picture(small), tell=tell).rgb, small, photo.rgb)
        if strength == 1:
            return rgb
        part = np.broadcast_to(np.uint8(round(255 * strength)), rgb.shape[:2])
        return colors.blend(rgb, photo.rgb, part, out=rgb)
