"""The perceptual loss of training and the optimizer: content loss, style loss and total variation."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.configs.schema.loss import LossConfig
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures


class Losses(NamedTuple):
    """Weighted terms: content + style + tv = total. Each is a scalar, averaged over the batch."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Compute Gram matrices G = F F^T / (C H W) (Johnson et al. 2016, eq. 3).

    With a guide T they are restricted to a region: G = (T F)(T F)^T / (C sum T^2) (Gatys et al. 2017, eq. 5).

    Args:
        features: F [N, C, H, W].
        guide: T [1, 1, H, W], 0..1.

    Returns:
        Gram matrices [N, C, C], in float32 (float64 for features in float64).
    """
    n, c, h, w = features.shape
    if guide is not None:
        features = features * guide.to(features.dtype)
    rows = features.permute(0, 2, 3, 1).reshape(n, h * w, c)  # no copy in channels-last memory
    # Gram matrices differ by 0.1 % of their norm, which a single bf16 product would round away. A float32 sum of many
    # bf16 products preserves the difference at the speed of bf16; few pixels are multiplied in float32.
    parts = math.gcd(h * w, max(1, h * w // 256)) if features.dtype == torch.bfloat16 else 1
    if parts < 4:
        parts, rows = 1, rows.to(torch.promote_types(rows.dtype, torch.float32))
    with torch.autocast(features.device.type, enabled=False):
        products: Tensor = _Products.apply(rows, parts)
    return products / (c * guided_pixels(h, w, guide))


class _Products(torch.autograd.Function):
    """R^T R of rows [N, P, C], summed over equal parts; the backward pass takes one product, autograd's takes two."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, parts: int) -> Tensor:
        ctx.save_for_backward(rows)
        n, p, c = rows.shape
        pieces = rows.reshape(n * parts, p // parts, c)
        products = torch.bmm(pieces.transpose(1, 2), pieces)
        dtype = torch.promote_types(rows.dtype, torch.float32)
        return products if parts == 1 else products.reshape(n, parts, c, c).sum(1, dtype=dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return torch.bmm(rows, (grad + grad.transpose(1, 2)).to(rows.dtype)), None


def guided_pixels(height: int, width: int, guide: Tensor | None) -> float | Tensor:
    """Return the number of pixels that a Gram matrix averages over.

    Args:
        height: H in px of the layer.
        width: W in px of the layer.
        guide: T [1, 1, H, W], 0..1, or None for the whole picture.

    Returns:
        H W, or with a guide the scalar sum T^2, at least 1e-3.
    """
    return height * width if guide is None else guide.square().sum().clamp(min=1e-3)  # a mask may be black


class ContentLoss(nn.Module):
    """Squared difference between the features F of pictures and the features P of their photos.

        chw:    mean (F - P)^2     (Johnson et al. 2016, eq. 2)
        gatys:  1/2 sum (F - P)^2  (Gatys et al. 2016, eq. 1, averaged over the batch)
        keras:  sum (F - P)^2      (keras.io, neural_style_transfer.py, averaged over the batch)

    Args:
        form: The normalization, as in loss.normalization.
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            features: F [N, C, H, W].
            target: P [N, C, H, W].

        Returns:
            A scalar in float32 (float64 for features in float64), >= 0.
        """
        # vector_norm accumulates in float32 without a float32 copy of the features.
        dtype = torch.promote_types(features.dtype, torch.float32)
        total = torch.linalg.vector_norm(features - target, dtype=dtype).square()
        return self.from_sum(total, features.shape[0], features.numel())

    def from_sum(self, total: Tensor, pictures: int, elements: int) -> Tensor:
        """Return the loss, a scalar, for a sum of squared differences over `elements` numbers in all `pictures`."""
        return total / elements if self.form == "chw" else {"gatys": 0.5, "keras": 1.0}[self.form] * total / pictures


class StyleLoss(nn.Module):
    """Squared difference between the Gram matrices G of pictures and the Gram matrix A of the style image.

    With C channels, M the pixels of the layer and P the pixels of the picture, averaged over the batch:

        chw:    mean (G - A)^2, G = F F^T / (C M)         (Johnson et al. 2016, eq. 4, as a mean)
        gatys:  sum (G - A)^2 / (4 C^2 M^2), G = F F^T    (Gatys et al. 2016, eq. 4)
        keras:  sum (G - A)^2 / (4 * 3^2 P^2), G = F F^T  (keras.io, neural_style_transfer.py)

    gatys and keras divide each Gram matrix by its own M, so the style image and the photo may have different sizes.

    Args:
        style_features: Features of the style image [1, C, H, W].
        form: The normalization, as in loss.normalization.
    """

    def __init__(self, style_features: Tensor, form: str) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("target", gram_matrix(style_features))

    def forward(self, features: Tensor, pixel_ratio: float = 1.0, guide: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            features: F [N, C, h, w].
            pixel_ratio: M / P, which only the form `keras` uses.
            guide: A mask [1, 1, h, w], 0..1, that restricts G to a region; None for the whole picture.

        Returns:
            A scalar in float32 (float64 for features in float64), >= 0.
        """
        return self.from_gram(gram_matrix(features, guide), pixel_ratio)

    def from_gram(self, gram: Tensor, pixel_ratio: float) -> Tensor:
        """Return the loss, a scalar, of Gram matrices [N, C, C] from `gram_matrix`; for `pixel_ratio` see `forward`."""
        mean = F.mse_loss(gram, self.get_buffer("target").expand_as(gram))
        channels = gram.shape[1]
        return mean * {"chw": 1.0, "gatys": channels**2 / 4, "keras": channels**4 * pixel_ratio**2 / 36}[self.form]


class TVLoss(nn.Module):
    """Total variation of pixels x, averaged over the batch; the second form sums over pixels with both neighbors.

        power = 2:  sum (x[i+1, j] - x[i, j])^2 + sum (x[i, j+1] - x[i, j])^2  (Johnson et al. 2016, sec. 3.2)
        otherwise:  sum ((x[i+1, j] - x[i, j])^2 + (x[i, j+1] - x[i, j])^2)^power  (keras.io, neural_style_transfer.py)

    Args:
        power: The exponent; Keras' example has 1.25.
    """

    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = power

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the total variation.

        Args:
            pixels: x [N, C, H, W], 0..255.

        Returns:
            A scalar, >= 0; in squared levels for power = 2.
        """
        down, right = pixels.diff(dim=2), pixels.diff(dim=3)
        if self.power == 2:
            return (down.square().sum() + right.square().sum()) / pixels.shape[0]
        squares = down[..., :-1].square() + right[:, :, :-1].square()
        return squares.pow(self.power).sum() / pixels.shape[0]


class PerceptualLoss(nn.Module):
    """The perceptual loss of Johnson et al. 2016 and Gatys et al. 2016.

        total = content_weight * content + style_weight * sum_l w_l sum_s b_s style_(l, s) + tv_weight * tv

    over style layers l with weights w_l and style images s with blend weights b_s, which add up to 1.

    Args:
        config: Layers, weights and normalization.
        weights: The convolutions of VGG.
        style: One or several style images, RGB [1, 3, H, W], 0..255.
        blend: A positive weight for each style image, in any unit; equal weights by default.
        masks: Masks [style images, 1, H, W], 0..1, of any size, that restrict each style image to a region.
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
        self.blend = [weight / sum(blend) for weight in blend]
        weights_of_layers = config.style_layer_weights or [1.0] * len(config.style_layers)
        self.style_weights = dict(zip(config.style_layers, weights_of_layers, strict=True))
        self.vgg = VGGFeatures([config.content_layer, *config.style_layers], weights, config.network, config.pooling)
        self.content = ContentLoss(config.normalization)
        self.styles = nn.ModuleList()
        for style_image in style_images:
            with torch.no_grad():
                features = self.vgg(style_image, config.style_layers)
            self.styles.append(
                nn.ModuleDict(
                    {layer: StyleLoss(features[layer], config.normalization) for layer in config.style_layers}
                )
            )
        self.tv = TVLoss(config.tv_power)
        self.guided = masks is not None
        self.register_buffer("masks", masks)

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
            The content target [N, C, h, w], h and w the size of the content layer.
        """
        return self.vgg(photos, [self.config.content_layer])[self.config.content_layer]

    def style_losses(self, layer: str) -> list[StyleLoss]:
        """Return the style loss of each style image at a layer, in the order of the style images."""
        return [losses.get_submodule(layer) for losses in self.styles]  # type: ignore[misc]

    def guides(self, height: int, width: int) -> list[Tensor | None]:
        """Return the mask of each style image at a layer's size, [1, 1, height, width], or None without masks."""
        if not self.guided:
            return [None] * len(self.styles)
        return [*F.adaptive_avg_pool2d(self.get_buffer("masks"), (height, width)).split(1)]

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Compute the losses of pictures.

        Args:
            pixels: RGB [N, 3, H, W], 0..255.
            content_target: What `content_target` returned for their photos.

        Returns:
            The weighted terms, which are scalars.
        """
        features = self.vgg(pixels)
        content = style = torch.zeros((), device=pixels.device)
        if self.config.content_weight:
            difference = self.content(features[self.config.content_layer], content_target)
            content = self.config.content_weight * difference
        for layer, weight in self.style_weights.items() if self.config.style_weight else ():
            height, width = features[layer].shape[2:]
            pixel_ratio = height * width / (pixels.shape[2] * pixels.shape[3])
            guides, losses = self.guides(height, width), self.style_losses(layer)
            for blend_weight, style_loss, guide in zip(self.blend, losses, guides, strict=True):
                loss = style_loss(features[layer], pixel_ratio, guide)
                style = style + self.config.style_weight * weight * blend_weight * loss
        return self.total(content, style, pixels)

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
