"""What the per-image optimizer works from, at any size: photo, paintings, masks, a picture to start at."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.errors import RequestError
from impasto.configs.schema import MIN_SIDE, OptimizeConfig, StyleConfig
from impasto.models import colors, pictures
from impasto.models.pictures import Picture
from impasto.train import style
from impasto.train.optimizer import noise
from impasto.train.sheets import to_bytes

MAX_PIXELS = 16 << 20  # of the result; L-BFGS takes 2 GB on top of 12 bytes for each of a dozen copies
STARTS = ("content", "noise", "style")


class Sources:
    """Everything that a request names, read once and checked; raises RequestError."""

    def __init__(self, config: OptimizeConfig) -> None:
        self.config = config
        self.photo = pictures.read(Path(config.content))
        self.masks = [pictures.read(Path(file)).rgb.mean(2) / 255 for file in config.masks]
        self.start = None if config.init in STARTS else pictures.read(Path(config.init)).rgb
        self.styles = [config.style, *(replace(config.style, image=file, painter=None) for file in config.styles)]
        self.sha256 = [style.load(one).sha256 for one in self.styles]
        height, width = self.shape(config.size)
        if height * width > MAX_PIXELS:
            raise RequestError(
                f"content={config.content} would become {width}x{height}, over {MAX_PIXELS >> 20} megapixels; "
                "take a smaller size, or crop the photo"
            )

    def shape(self, size: int) -> tuple[int, int]:
        """Height and width of the result where its short side is `size`."""
        height, width = self.photo.rgb.shape[:2]
        short = size if self.config.square else min(height, width)
        return (size, size) if self.config.square else (round(height * size / short), round(width * size / short))

    def content(self, size: int) -> Tensor:
        """The photo as pixels [1, 3, H, W]."""
        return _pixels(pictures.resize(self.photo.rgb, self.shape(size)))

    def paintings(self, size: int) -> list[Tensor]:
        """The paintings as pixels [1, 3, H, W], as much smaller than asked for as `size` is smaller than the result."""
        return [self._painting(one, size) for one in self.styles]

    def regions(self, size: int) -> Tensor | None:
        """The masks, 0..1, as [paintings, 1, H, W]."""
        if not self.masks:
            return None
        shape = self.shape(size)
        return torch.cat([_resized(torch.from_numpy(mask)[None, None].float(), shape) for mask in self.masks])

    def first(self, size: int) -> Tensor:
        """Where the coarsest scale starts, pixels [1, 3, H, W]."""
        if self.start is not None:
            return _pixels(pictures.resize(self.start, self.shape(size)))
        if self.config.init == "noise":
            return noise(*self.shape(size), self.config.seed)
        if self.config.init == "style":
            return _pixels(pictures.resize(to_bytes(self._painting(self.styles[0], size))[0], self.shape(size)))
        return self.content(size)

    def next(self, pixels: Tensor, size: int) -> Tensor:
        """A coarser scale's result [1, 3, h, w] at this size."""
        return _resized(pixels, self.shape(size))

    def picture(self, pixels: Tensor) -> Picture:
        """What is written for pixels [1, 3, H, W]: clamped, of the photo's colours if asked, its alpha put back."""
        shape = (pixels.shape[2], pixels.shape[3])
        rgb = to_bytes(pixels)[0]
        if self.config.keep_colors:
            rgb = colors.keep_colors(rgb, pictures.resize(self.photo.rgb, shape))
        alpha = None if self.photo.alpha is None else pictures.resize(self.photo.alpha, shape)
        return replace(self.photo, rgb=rgb, alpha=alpha)

    def _painting(self, config: StyleConfig, size: int) -> Tensor:
        side = max(MIN_SIDE, round(config.size * size / self.config.size))
        pixels = style.load(replace(config, size=side)).pixels
        return _pixels(pictures.resize(to_bytes(pixels)[0], (side, side))) if self.config.square else pixels


def _pixels(rgb: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float()


def _resized(pixels: Tensor, shape: Sequence[int]) -> Tensor:
    return F.interpolate(pixels, list(shape), mode="bilinear", antialias=True, align_corners=False)
