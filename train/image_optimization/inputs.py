"""The inputs of the per-image optimizer at any size: photo, style images, masks, initial image."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.errors import UsageError
from impasto.configs.schema.optimize import MIN_SIDE, OptimizeConfig
from impasto.configs.schema.style import StyleConfig
from impasto.models.image import color, decode
from impasto.models.image.picture import Picture, resize
from impasto.train.data import style_image
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.image_optimization.optimizer import noise
from impasto.train.runtime.contact_sheet import to_bytes

MAX_PIXELS = 16 << 20  # of the result; L-BFGS takes 2 GB on top of 12 bytes for each of a dozen copies
INIT_WORDS = ("content", "noise", "style")


class OptimizationInputs:
    """All files that a request names, read once and validated.

    Args:
        config: The settings of impasto-optimize.

    Attributes:
        photo: The decoded photo.
        style_sha256: A hash for each style image.

    Raises:
        UsageError: A file cannot be read, or the result would have more than MAX_PIXELS.
    """

    def __init__(self, config: OptimizeConfig) -> None:
        self.config = config
        self.photo = decode.read(Path(config.content))
        self._content = _over_white(self.photo)
        self._masks = [_mask(decode.read(Path(file), convert_colors=False)) for file in config.masks]
        self._init_image = None if config.init in INIT_WORDS else _over_white(decode.read(Path(config.init)))
        self._styles = [config.style, *(replace(config.style, image=file, painter=None) for file in config.styles)]
        self.style_sha256 = [style_image.load(style).sha256 for style in self._styles]
        height, width = self.shape(config.size)
        if height * width > MAX_PIXELS:
            raise UsageError(
                f"content={config.content} at size={config.size} would be {width}x{height}, over {MAX_PIXELS >> 20} "
                "megapixels; choose a smaller size, or crop the photo"
            )

    def shape(self, size: int) -> tuple[int, int]:
        """Return the height and width of the result at short side `size`."""
        height, width = self.photo.rgb.shape[:2]
        short = size if self.config.square else min(height, width)
        return (size, size) if self.config.square else (round(height * size / short), round(width * size / short))

    def content(self, size: int) -> Tensor:
        """Return the photo as pixels [1, 3, H, W]."""
        return picture_to_pixels(resize(self._content, self.shape(size)))

    def style_images(self, size: int) -> list[Tensor]:
        """Return the style images as pixels [1, 3, H, W], scaled by `size` over the final size."""
        return [self._style_image(style, size) for style in self._styles]

    def style_masks(self, size: int) -> Tensor | None:
        """Return the masks, 0..1, [styles, 1, H, W]; None without masks."""
        if not self._masks:
            return None
        shape = self.shape(size)
        return torch.cat([_resize_bilinear(torch.from_numpy(mask)[None, None].float(), shape) for mask in self._masks])

    def initial(self, size: int) -> Tensor:
        """Return the initial pixels of the coarsest scale, [1, 3, H, W]."""
        if self._init_image is not None:
            return picture_to_pixels(resize(self._init_image, self.shape(size)))
        if self.config.init == "noise":
            return noise(*self.shape(size), self.config.seed)
        if self.config.init == "style":
            return picture_to_pixels(resize(to_bytes(self._style_image(self._styles[0], size))[0], self.shape(size)))
        return self.content(size)

    def upsample(self, pixels: Tensor, size: int) -> Tensor:
        """Resize the result of a coarser scale, [1, 3, h, w], to this size."""
        return _resize_bilinear(pixels, self.shape(size))

    def picture(self, pixels: Tensor) -> Picture:
        """Return the picture to write for pixels [1, 3, H, W].

        Its values are rounded, its colors are the photo's if `keep_colors` is set, and its alpha is the photo's.
        """
        shape = (pixels.shape[2], pixels.shape[3])
        rgb = to_bytes(pixels)[0]
        if self.config.keep_colors:
            rgb = color.keep_colors(rgb, resize(self._content, shape))
        alpha = None if self.photo.alpha is None else resize(self.photo.alpha, shape)
        return replace(self.photo, rgb=rgb, alpha=alpha)

    def _style_image(self, config: StyleConfig, size: int) -> Tensor:
        side = max(MIN_SIDE, round(config.size * size / self.config.size))
        pixels = style_image.load(replace(config, size=side)).pixels
        return picture_to_pixels(resize(to_bytes(pixels)[0], (side, side))) if self.config.square else pixels


def _over_white(picture: Picture) -> NDArray[np.uint8]:
    return color.over_white(picture.rgb, picture.alpha)


def _mask(picture: Picture) -> NDArray[np.float64]:
    """Return a mask [H, W], 0..1; transparent regions are black, as those of a cut-out subject."""
    mask = picture.rgb.mean(2) / 255
    return mask if picture.alpha is None else mask * (picture.alpha / 255)


def _resize_bilinear(pixels: Tensor, shape: Sequence[int]) -> Tensor:
    return F.interpolate(pixels, list(shape), mode="bilinear", antialias=True, align_corners=False)
