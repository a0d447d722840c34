"""The terms of the perceptual loss: content loss, style loss and total variation, in several normalizations."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TINY = 1e-12  # the least divisor of a relative error


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

        chw:       mean (F - P)^2           (Johnson et al. 2016, eq. 2)
        gatys:     1/2 sum (F - P)^2        (Gatys et al. 2016, eq. 1, averaged over the batch)
        keras:     sum (F - P)^2            (keras.io, neural_style_transfer.py, averaged over the batch)
        relative:  sum (F - P)^2 / sum P^2  (averaged over the batch; 0 for the photo, 1 for features that are all zero)

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
        return self.from_sums(_squares(features - target), target)

    def from_sums(self, sums: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar, of the sum of squared differences of each picture [N] to a target [N, C, H, W]."""
        if self.form == "relative":
            return (sums / _squares(target).clamp(min=TINY)).mean()
        factor = {"chw": 1 / target[0].numel(), "gatys": 0.5, "keras": 1.0}[self.form]
        return factor * sums.mean()


def _squares(features: Tensor) -> Tensor:
    """Sum the squares of each picture's features [N, C, H, W] in at least float32, [N]."""
    dtype = torch.promote_types(features.dtype, torch.float32)
    return torch.linalg.vector_norm(features, dim=(1, 2, 3), dtype=dtype).square()


class StyleLoss(nn.Module):
    """Squared difference between the Gram matrices G of pictures and the Gram matrix A of the style image.

    With C channels, M the pixels of the layer and P the pixels of the picture, averaged over the batch:

        chw:       mean (G - A)^2, G = F F^T / (C M)         (Johnson et al. 2016, eq. 4, as a mean)
        gatys:     sum (G - A)^2 / (4 C^2 M^2), G = F F^T    (Gatys et al. 2016, eq. 4)
        keras:     sum (G - A)^2 / (4 * 3^2 P^2), G = F F^T  (keras.io, neural_style_transfer.py)
        relative:  sum (G - A)^2 / sum A^2, G = F F^T / M    (the squared relative error, so that layers compare)

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
        if self.form == "relative":
            return mean / self.get_buffer("target").square().mean().clamp(min=TINY)
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
