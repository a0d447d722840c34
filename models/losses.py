"""The perceptual loss that networks and the optimizer share: content loss, style loss, total variation."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.configs.schema import LossConfig
from impasto.models.vgg import VGGFeatures
from impasto.models.vgg_weights import Weights


class Losses(NamedTuple):
    """Weighted terms, so that content + style + tv = total; scalars, averaged over the batch."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrices F F^T / (C*H*W) of features [N, C, H, W]: float32 [N, C, C] (Johnson et al. 2016, eq. 3)."""
    n, c, h, w = features.shape
    rows = features.permute(0, 2, 3, 1).reshape(n, h * w, c)  # no copy in channels-last memory
    # A sum of many bf16 products keeps the small differences between Gram matrices (0.1 % of the norm) at the speed of
    # bf16; a single product would round them away, so few pixels are multiplied in float32.
    parts = math.gcd(h * w, max(1, h * w // 256)) if features.dtype == torch.bfloat16 else 1
    with torch.autocast(features.device.type, enabled=False):
        if parts >= 4:
            rows = rows.reshape(n * parts, h * w // parts, c)
            products = torch.bmm(rows.transpose(1, 2), rows).reshape(n, parts, c, c).sum(1, dtype=torch.float32)
        else:
            rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
            products = torch.bmm(rows.transpose(1, 2), rows)
    return products / (c * h * w)


class ContentLoss(nn.Module):
    """Mean squared difference of features; in Gatys' form half their sum (Gatys et al. 2016, eq. 1)."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        # The norm adds up in float32 without a float32 copy of the features.
        dtype = torch.promote_types(features.dtype, torch.float32)
        total = torch.linalg.vector_norm(features - target, dtype=dtype).square()
        return total / features.numel() if self.form == "chw" else 0.5 * total / features.shape[0]


class StyleLoss(nn.Module):
    """Mean squared difference of Gram matrices to those of the style, `style_features` [1, C, H, W].

    In Gatys' form sum (G - A)^2 / (4 N^2 M^2) with G = F F^T, N channels and M pixels (Gatys et al. 2016, eq. 4), where
    each side is divided by its own M, so that the painting may have another size than the photo.
    """

    def __init__(self, style_features: Tensor, form: str) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("target", gram_matrix(style_features))

    def forward(self, features: Tensor) -> Tensor:
        gram = gram_matrix(features)
        mean = F.mse_loss(gram, self.get_buffer("target").expand_as(gram))
        channels = features.shape[1]
        return mean if self.form == "chw" else mean * (channels**2 / 4)


class TVLoss(nn.Module):
    """Total variation: mean over the batch of the summed squared differences of neighbouring pixels."""

    def forward(self, pixels: Tensor) -> Tensor:
        down, right = pixels.diff(dim=2), pixels.diff(dim=3)
        return (down.square().sum() + right.square().sum()) / pixels.shape[0]


class PerceptualLoss(nn.Module):
    """total = content_weight * content + style_weight * sum of style losses + tv_weight * tv (Johnson et al. 2016).

    `style` is the painting, pixels [1, 3, H, W], RGB, 0..255.
    """

    def __init__(self, config: LossConfig, weights: Weights, style: Tensor) -> None:
        super().__init__()
        self.config = config
        weights_of_layers = config.style_layer_weights or [1.0] * len(config.style_layers)
        self.style_weights = dict(zip(config.style_layers, weights_of_layers, strict=True))
        self.vgg = VGGFeatures([config.content_layer, *config.style_layers], weights)
        self.content = ContentLoss(config.gram)
        with torch.no_grad():
            features = self.vgg(style, config.style_layers)
        self.styles = nn.ModuleDict({layer: StyleLoss(features[layer], config.gram) for layer in config.style_layers})
        self.tv = TVLoss()

    def to_precision(self, dtype: torch.dtype) -> "PerceptualLoss":
        """Run VGG in `dtype`; the Gram matrices and the differences stay float32."""
        self.vgg.net.to(dtype)
        return self

    @torch.no_grad()
    def content_target(self, photos: Tensor) -> Tensor:
        """Features of photos [N, 3, H, W] at the content layer; VGG runs no deeper."""
        return self.vgg(photos, [self.config.content_layer])[self.config.content_layer]

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Losses of pictures [N, 3, H, W] whose photos have `content_target`."""
        config = self.config
        features = self.vgg(pixels)
        content = config.content_weight * self.content(features[config.content_layer], content_target)
        style = torch.zeros((), device=pixels.device)
        for layer, weight in self.style_weights.items():
            style = style + config.style_weight * weight * self.styles[layer](features[layer])
        tv = config.tv_weight * self.tv(pixels) if config.tv_weight else torch.zeros((), device=pixels.device)
        return Losses(content + style + tv, content, style, tv)
