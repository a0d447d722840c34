"""The perceptual loss that networks and the optimizer share: content loss, style loss, total variation."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.configs.schema import LossConfig
from impasto.models.vgg import VGGFeatures
from impasto.models.vgg_weights import Weights


class Losses(NamedTuple):
    """Weighted terms, so that content + style + tv = total; scalars, averaged over the batch."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Gram matrices F F^T / (C*H*W) of features [N, C, H, W]: float32 [N, C, C] (Johnson et al. 2016, eq. 3).

    With a `guide` [1, 1, H, W], 0..1, the guided ones, (T F)(T F)^T / (C * sum T^2): Gatys et al. 2017, eq. 5.
    """
    n, c, h, w = features.shape
    if guide is not None:
        features = features * guide.to(features.dtype)
    rows = features.permute(0, 2, 3, 1).reshape(n, h * w, c)  # no copy in channels-last memory
    # A sum of many bf16 products keeps the small differences between Gram matrices (0.1 % of the norm) at the speed of
    # bf16; a single product would round them away, so few pixels are multiplied in float32.
    parts = math.gcd(h * w, max(1, h * w // 256)) if features.dtype == torch.bfloat16 else 1
    if parts < 4:
        parts, rows = 1, rows.to(torch.promote_types(rows.dtype, torch.float32))
    with torch.autocast(features.device.type, enabled=False):
        products: Tensor = _Products.apply(rows, parts)
    return products / (c * guided_pixels(h, w, guide))


class _Products(torch.autograd.Function):
    """R^T R of rows [N, P, C], added up over equal parts; the gradient takes one product, and two in autograd's way."""

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
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return torch.bmm(rows, (slope + slope.transpose(1, 2)).to(rows.dtype)), None


def guided_pixels(height: int, width: int, guide: Tensor | None) -> float | Tensor:
    """How many pixels a Gram matrix is a mean over: all, or sum T^2."""
    return height * width if guide is None else guide.square().sum().clamp(min=1e-3)  # a mask may be black


class ContentLoss(nn.Module):
    """Mean squared difference of features [N, C, H, W].

    In Gatys' form half their sum (Gatys et al. 2016, eq. 1), in Keras' their sum (keras.io, neural_style_transfer.py).
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        # The norm adds up in float32 without a float32 copy of the features.
        dtype = torch.promote_types(features.dtype, torch.float32)
        total = torch.linalg.vector_norm(features - target, dtype=dtype).square()
        return self.from_sum(total, features.shape[0], features.numel())

    def from_sum(self, total: Tensor, pictures: int, elements: int) -> Tensor:
        """The loss of a sum of squared differences over `elements` numbers."""
        return total / elements if self.form == "chw" else {"gatys": 0.5, "keras": 1.0}[self.form] * total / pictures


class StyleLoss(nn.Module):
    """Mean squared difference of Gram matrices to those of the style, `style_features` [1, C, H, W].

    In Gatys' form sum (G - A)^2 / (4 N^2 M^2) with G = F F^T, N channels and M pixels (Gatys et al. 2016, eq. 4), where
    each side is divided by its own M, so that the painting may have another size than the photo. In Keras' form
    sum (G - A)^2 / (4 * 3^2 * P^2), P the pixels of the picture (keras.io, neural_style_transfer.py), with each side
    again measured in its own pixels; `share` is M / P.
    """

    def __init__(self, style_features: Tensor, form: str) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("target", gram_matrix(style_features))

    def forward(self, features: Tensor, share: float = 1.0, guide: Tensor | None = None) -> Tensor:
        return self.from_gram(gram_matrix(features, guide), share)

    def from_gram(self, gram: Tensor, share: float) -> Tensor:
        """The loss of Gram matrices [N, C, C]."""
        mean = F.mse_loss(gram, self.get_buffer("target").expand_as(gram))
        channels = gram.shape[1]
        return mean * {"chw": 1.0, "gatys": channels**2 / 4, "keras": channels**4 * share**2 / 36}[self.form]


class TVLoss(nn.Module):
    """Total variation: mean over the batch of the summed squared differences of neighbouring pixels.

    With a power other than 2, Keras' form: sum (down^2 + right^2)^power over all pixels that have both neighbours.
    """

    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = power

    def forward(self, pixels: Tensor) -> Tensor:
        down, right = pixels.diff(dim=2), pixels.diff(dim=3)
        if self.power == 2:
            return (down.square().sum() + right.square().sum()) / pixels.shape[0]
        squares = down[..., :-1].square() + right[:, :, :-1].square()
        return squares.pow(self.power).sum() / pixels.shape[0]


class LatticeLoss(nn.Module):
    """What repeats every `period` px in pictures [N, C, H, W], 0..255: its mean square, in squared levels.

    Networks that upsample leave such a lattice (Odena et al. 2016, on checkerboards), and the perceptual loss does not
    mind: VGG's pooling lies on the same grid. Each window of 64 px is averaged over its periods, which leaves little of
    what is no lattice.
    """

    WINDOW = 64

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period

    def forward(self, pixels: Tensor) -> Tensor:
        return self.mean_periods(pixels).square().mean()

    def mean_periods(self, pixels: Tensor) -> Tensor:
        """What each window repeats, in levels: [N, C, rows of windows, period, columns of windows, period]."""
        period = self.period
        around = F.avg_pool2d(F.pad(pixels, (2, 2, 2, 2), mode="reflect"), 5, 1)
        cells = [min(self.WINDOW, side) // period for side in pixels.shape[2:]]
        rows, columns = (side // (cell * period) for side, cell in zip(pixels.shape[2:], cells, strict=True))
        fine = (pixels - around)[..., : rows * cells[0] * period, : columns * cells[1] * period]
        windows = fine.reshape(*pixels.shape[:2], rows, cells[0], period, columns, cells[1], period)
        return windows.mean((3, 6))


class PerceptualLoss(nn.Module):
    """total = content_weight * content + style_weight * sum of style losses + tv_weight * tv (Johnson et al. 2016).

    `style` is the painting, pixels [1, 3, H, W], RGB, 0..255, or several, which `blend` weighs (in any unit; equal
    where None). `masks` [paintings, 1, H, W], 0..1, keep each painting to its region of the photo, whatever the size.
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
        paintings = [style] if isinstance(style, Tensor) else [*style]
        blend = [1.0] * len(paintings) if blend is None else blend
        self.config = config
        self.blend = [weight / sum(blend) for weight in blend]
        weights_of_layers = config.style_layer_weights or [1.0] * len(config.style_layers)
        self.style_weights = dict(zip(config.style_layers, weights_of_layers, strict=True))
        self.vgg = VGGFeatures([config.content_layer, *config.style_layers], weights, config.network, config.pooling)
        self.content = ContentLoss(config.gram)
        self.styles = nn.ModuleList()
        for painting in paintings:
            with torch.no_grad():
                features = self.vgg(painting, config.style_layers)
            self.styles.append(
                nn.ModuleDict({layer: StyleLoss(features[layer], config.gram) for layer in config.style_layers})
            )
        self.tv = TVLoss(config.tv_power)
        self.guided = masks is not None
        self.register_buffer("masks", masks)

    def to_precision(self, dtype: torch.dtype) -> "PerceptualLoss":
        """Run VGG in `dtype`; the Gram matrices and the differences stay float32."""
        self.vgg.net.to(dtype)
        return self

    @torch.no_grad()
    def content_target(self, photos: Tensor) -> Tensor:
        """Features of photos [N, 3, H, W] at the content layer; VGG runs no deeper."""
        return self.vgg(photos, [self.config.content_layer])[self.config.content_layer]

    def style_losses(self, layer: str) -> list[StyleLoss]:
        """The style loss of each painting at a layer."""
        return [losses.get_submodule(layer) for losses in self.styles]  # type: ignore[misc]

    def guides(self, height: int, width: int) -> list[Tensor | None]:
        """The masks at the size of a layer, [1, 1, height, width] for each painting, if there are any."""
        if not self.guided:
            return [None] * len(self.styles)
        return [*F.adaptive_avg_pool2d(self.get_buffer("masks"), (height, width)).split(1)]

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Losses of pictures [N, 3, H, W] whose photos have `content_target`."""
        features = self.vgg(pixels)
        content = style = torch.zeros((), device=pixels.device)
        if self.config.content_weight:
            difference = self.content(features[self.config.content_layer], content_target)
            content = self.config.content_weight * difference
        for layer, weight in self.style_weights.items() if self.config.style_weight else ():
            height, width = features[layer].shape[2:]
            share = height * width / (pixels.shape[2] * pixels.shape[3])
            guides, losses = self.guides(height, width), self.style_losses(layer)
            for part, style_loss, guide in zip(self.blend, losses, guides, strict=True):
                loss = style_loss(features[layer], share, guide)
                style = style + self.config.style_weight * weight * part * loss
        return self.total(content, style, pixels)

    def total(self, content: Tensor, style: Tensor, pixels: Tensor) -> Losses:
        """Add up weighted content and style losses and the total variation of pictures [N, 3, H, W]."""
        config = self.config
        tv = config.tv_weight * self.tv(pixels) if config.tv_weight else torch.zeros((), device=pixels.device)
        return Losses(content + style + tv, content, style, tv)
