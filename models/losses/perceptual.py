"""The perceptual loss of training and the optimizer: content loss, style loss and total variation."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.configs.schema.loss import LossConfig
from impasto.models.losses.terms import ContentLoss, StyleLoss, TVLoss
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures

NEGLIGIBLE = 1e-3


class Losses(NamedTuple):
    """Weighted terms: content + style + tv = total. Each is a scalar, averaged over the batch."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


class PerceptualLoss(nn.Module):
    """The perceptual loss of Johnson et al. 2016 and Gatys et al. 2016.

        total = content_weight * content(x / c)
                + style_weight * sum_k v_k sum_l w_l sum_s b_s style_(l, s)(x / k) + tv_weight * tv(x)

    over scales k with weights v_k, which add up to 1, style layers l with weights w_l, and style images s with blend
    weights b_s, which add up to 1. x / k
    is the picture x averaged over squares of k pixels: at a larger k, VGG sees larger strokes (Snelgrove 2017,
    "High-resolution multi-scale neural texture synthesis"). With the defaults c = k = 1 this is the loss of the papers.

    Args:
        config: Layers, weights, scales and normalization.
        weights: The convolutions of VGG.
        style: One or several style images, RGB [1, 3, H, W], 0..255.
        blend: A positive weight for each style image, in any unit; equal weights by default.
        masks: Masks [style images, 1, H, W], 0..1, of any size, that restrict each style image to a region.

    Attributes:
        window: VGG sees no more than the middle of a picture, of this many px at each scale; None for all of it.

    Examples:
        >>> from impasto.configs.cli.app import compose
        >>> from impasto.models.vgg import weights
        >>> config = compose("train", ["data.root=photos", "loss=johnson"]).loss
        >>> painting, photo = 255 * torch.rand(1, 3, 64, 64), 255 * torch.rand(1, 3, 64, 64)
        >>> loss = impasto.PerceptualLoss(config, weights.load("random"), painting)  # "auto" loads the original ones
        >>> losses = loss(photo, loss.content_target(photo))
        >>> losses.content.item(), losses.total.item() > 0
        (0.0, True)
    """

    def __init__(
        self,
        config: LossConfig,
        weights: Weights,
        style: Tensor | Sequence[Tensor],
        blend: Sequence[float] | None = None,
        masks: Tensor | None = None,
    ) -> None:
        super().__init__()
        style_images = [style] if isinstance(style, Tensor) else [*style]
        blend = [1.0] * len(style_images) if blend is None else blend
        self.config = config
        self.window: int | None = None
        self.blend = [weight / sum(blend) for weight in blend]
        weights_of_layers = config.style_layer_weights or [1.0] * len(config.style_layers)
        self.style_weights = dict(zip(config.style_layers, weights_of_layers, strict=True))
        weights_of_scales = config.style_scale_weights or [1.0] * len(config.style_scales)
        self.scale_weights = {
            scale: weight / sum(weights_of_scales)
            for scale, weight in zip(config.style_scales, weights_of_scales, strict=True)
        }
        self.vgg = VGGFeatures([config.content_layer, *config.style_layers], weights, config.network, config.pooling)
        self.content = ContentLoss(config.normalization)
        self.styles = nn.ModuleDict(
            {
                str(scale): nn.ModuleList(self._style(image, scale) for image in style_images)
                for scale in config.style_scales
            }
        )
        self._drop_negligible_layers()
        self.tv = TVLoss(config.tv_power)
        self.guided = masks is not None
        self.register_buffer("masks", masks)

    @torch.no_grad()
    def _style(self, style_image: Tensor, scale: int) -> nn.ModuleDict:
        config = self.config
        features = self.vgg(downscale(style_image, scale), config.style_layers)
        return nn.ModuleDict({layer: StyleLoss(features[layer], config.normalization) for layer in config.style_layers})

    def _drop_negligible_layers(self) -> None:
        """Drop the style layers whose loss, for features that are all zero, is below NEGLIGIBLE of the largest.

        With the original VGG-16 this is relu4_3 in the normalization of Johnson et al. 2016. VGG then ends before it.
        """
        if self.config.normalization != "chw":
            return
        ceilings = {}
        for layer, weight in self.style_weights.items():
            losses = [loss for scale in self.config.style_scales for loss in self.style_losses(layer, scale)]
            targets = [loss.get_buffer("target") for loss in losses]
            ceilings[layer] = weight * max(
                loss.from_gram(torch.zeros_like(target), 1.0).item()
                for loss, target in zip(losses, targets, strict=True)
            )
        least = NEGLIGIBLE * max(ceilings.values())
        self.style_weights = {layer: self.style_weights[layer] for layer in ceilings if ceilings[layer] >= least}

    def to_precision(self, dtype: torch.dtype) -> "PerceptualLoss":
        """Run VGG in `dtype`, and return the loss itself; Gram matrices and differences stay in float32."""
        self.vgg.net.to(dtype)
        return self

    @torch.no_grad()
    def content_target(self, photos: Tensor) -> Tensor:
        """Compute the features of photos at the content layer; VGG is run only that deep.

        Args:
            photos: RGB [N, 3, H, W], 0..255.

        Returns:
            The content target [N, C, h, w], h and w the size of the content layer at content_scale.
        """
        layer = self.config.content_layer
        return self.vgg(self._see(photos, self.config.content_scale), [layer])[layer]

    def _see(self, pixels: Tensor, scale: int) -> Tensor:
        """Pictures at a scale, or, if they are larger than the window, their middle."""
        pixels = downscale(pixels, scale)
        top, left = (max(0, side - (self.window or side)) // 2 for side in pixels.shape[2:])
        return pixels[..., top : pixels.shape[2] - top, left : pixels.shape[3] - left]

    def style_losses(self, layer: str, scale: int) -> list[StyleLoss]:
        """Return the style loss of each style image at a layer and a scale, in the order of the style images."""
        return [losses.get_submodule(layer) for losses in self.styles.get_submodule(str(scale))]  # type: ignore

    def guides(self, height: int, width: int) -> list[Tensor | None]:
        """Return the mask of each style image at a layer's size, [1, 1, height, width], or None without masks."""
        if not self.guided:
            return [None] * len(self.blend)
        return [*F.adaptive_avg_pool2d(self.get_buffer("masks"), (height, width)).split(1)]

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Compute the losses of pictures.

        Args:
            pixels: RGB [N, 3, H, W], 0..255.
            content_target: What `content_target` returned for their photos.

        Returns:
            The weighted terms, which are scalars.
        """
        config = self.config
        content = style = torch.zeros((), device=pixels.device)
        for scale in self.scales():
            picture = self._see(pixels, scale)
            features = self.vgg(picture, self.layers(scale))
            if self.has_content(scale):
                content = config.content_weight * self.content(features[config.content_layer], content_target)
            if self.has_style(scale):
                style = style + self._style_term(features, picture, scale)
        return self.total(content, style, pixels)

    def scales(self) -> list[int]:
        """Return the scales that a term with a weight needs."""
        scales = sorted({self.config.content_scale, *self.config.style_scales})
        return [scale for scale in scales if self.has_content(scale) or self.has_style(scale)]

    def has_content(self, scale: int) -> bool:
        """Whether the content loss has a weight, and is computed at a scale."""
        return self.config.content_weight > 0 and scale == self.config.content_scale

    def has_style(self, scale: int) -> bool:
        """Whether the style loss has a weight, and is computed at a scale."""
        return self.config.style_weight > 0 and scale in self.config.style_scales

    def layers(self, scale: int) -> list[str]:
        """Return the layers that the content loss and the style loss need at a scale."""
        content = [self.config.content_layer] if self.has_content(scale) else []
        return [*content, *(self.style_weights if self.has_style(scale) else ())]

    def _style_term(self, features: dict[str, Tensor], picture: Tensor, scale: int) -> Tensor:
        """The weighted style loss of one scale."""
        style = torch.zeros((), device=picture.device)
        for layer, weight in self.style_weights.items():
            height, width = features[layer].shape[2:]
            pixel_ratio = height * width / (picture.shape[2] * picture.shape[3])
            guides, losses = self.guides(height, width), self.style_losses(layer, scale)
            for blend_weight, style_loss, guide in zip(self.blend, losses, guides, strict=True):
                loss = style_loss(features[layer], pixel_ratio, guide)
                style = style + self.config.style_weight * weight * blend_weight * loss
        return self.scale_weights[scale] * style

    def total(self, content: Tensor, style: Tensor, pixels: Tensor) -> Losses:
        """Add the weighted content and style losses and the total variation.

        Args:
            content: The weighted content loss, a scalar.
            style: The weighted style loss, a scalar.
            pixels: RGB [N, 3, H, W], 0..255.

        Returns:
            The weighted terms, which are scalars.
        """
        config = self.config
        tv = config.tv_weight * self.tv(pixels) if config.tv_weight else torch.zeros((), device=pixels.device)
        return Losses(content + style + tv, content, style, tv)


def downscale(pixels: Tensor, scale: int) -> Tensor:
    """Average pixels [N, C, H, W] over squares of `scale` x `scale`; a remainder at the right and bottom is dropped."""
    return pixels if scale == 1 else F.avg_pool2d(pixels, scale)
