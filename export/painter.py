"""A loaded model and what is asked of it: from one picture to another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.shipping import StylizeConfig
from impasto.models import colors, exported
from impasto.models.pictures import Picture


class Painter:
    """Paints pictures as a request says; may be called from several threads at once. Raises RequestError."""

    def __init__(self, config: StylizeConfig, threads: int) -> None:
        self.config = config
        self.session = exported.load(Path(config.model).expanduser(), threads)

    def __call__(self, photo: Picture, mask: NDArray[np.uint8] | None = None) -> Picture:
        """The painted picture: as large, the photo's alpha and metadata; a mask [H, W] is 255 where it is painted."""
        rgb = exported.stylize(self.session, photo, self.config.strength).rgb
        if self.config.keep_colors:
            rgb = colors.keep_colors(rgb, photo.rgb)
        if mask is not None:
            rgb = colors.blend(rgb, photo.rgb, mask)
        return replace(photo, rgb=rgb)
