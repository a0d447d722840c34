"""A loaded model with the settings of impasto-stylize: from a photo to a stylized picture."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from impasto.configs.schema.stylize import StylizeConfig
from impasto.export.inference.model import Model
from impasto.models import zoo
from impasto.models.image import color, detail_transfer
from impasto.models.image.grain import add_grain
from impasto.models.image.picture import Picture, resize
from impasto.models.progress import OnProgress, ignore_progress


class Stylizer:
    """Stylizes pictures as a config requests; may be called from several threads at once.

    Args:
        config: The settings.
        threads: Number of ONNX Runtime's threads; 0 lets it choose.
        frames: Whether the pictures are frames of a video, which have one size; memory is then reused.

    Raises:
        UsageError: The model cannot be used.
    """

    def __init__(self, config: StylizeConfig, threads: int, frames: bool = False) -> None:
        self.config = config
        threshold_mp = config.tiles.video_threshold_mp if frames else config.tiles.threshold_mp
        tiles = replace(config.tiles, threshold_mp=threshold_mp)
        path = zoo.resolve(config.model, ".onnx")
        self.model = Model(path, threads, tiles, same_size=frames, styles=config.style_weights())

    def with_config(self, config: StylizeConfig) -> "Stylizer":
        """Return a stylizer with other settings and the same model; it ignores other `tiles` and `model`."""
        other = copy.copy(self)
        other.config = config
        if config.style != self.config.style:
            other.model = self.model.with_styles(config.style_weights())
        return other

    def __call__(
        self,
        photo: Picture,
        mask: Callable[[], NDArray[np.uint8]] | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Picture:
        """Stylize a photo; size, alpha and metadata are preserved.

        Args:
            photo: The photo.
            mask: Returns a mask [H, W], 255 where the photo is stylized. It is called after inference, which needs
                the memory.
            on_progress: Called after each tile of a large photo.

        Raises:
            UsageError: The photo cannot be stylized.
        """
        strength = self.config.strength
        if strength == 0:  # no control changes the photo then; the network need not run
            on_progress(1.0)
            return photo
        rgb = self._stylize(photo, on_progress)
        if strength < 1:
            rgb = color.mix(rgb, photo.rgb, strength, out=rgb)
        if self.config.keep_colors:
            rgb = color.keep_colors(rgb, photo.rgb, out=rgb)
        if mask is not None:
            rgb = color.blend(rgb, photo.rgb, mask(), out=rgb)
        return replace(photo, rgb=rgb)

    def _stylize(self, photo: Picture, on_progress: OnProgress) -> NDArray[np.uint8]:
        """Stylize the photo itself, or a small copy of it where the stroke resolution is below its size."""
        size = self.config.resolve_stroke_resolution(self.model.stroke_resolution)
        grain = self.config.resolve_grain(self.model.grain)
        if size is None or size >= min(photo.rgb.shape[:2]):
            return self.model.stylize(replace(photo, rgb=add_grain(photo.rgb, grain)), on_progress).rgb
        small = resize(photo.rgb, size)
        stylized = self.model.stylize(Picture(add_grain(small, grain)), on_progress).rgb
        return detail_transfer.enlarge(stylized, small, photo.rgb)
