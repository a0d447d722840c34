"""The perceptual loss of pictures that are too large for VGG at once: in tiles, with the same value and gradient."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.models.losses import Losses, PerceptualLoss, gram_matrix, guided_pixels

# px beyond a tile that its features depend on: VGG-19's pool5 sees 268 px, 134 to each side; and a multiple of 32, the
# step of pool5, so that tiles are pooled as the whole picture is.
HALO = 160

Box = tuple[int, int, int, int]
"""top, bottom, left, right."""


class TiledLoss(nn.Module):
    """A PerceptualLoss for one picture [1, 3, H, W] of any size, of which VGG sees tiles of `side` px (32 divides it).

    Content loss and Gram matrices are sums over pixels, so they are added up over tiles first; their gradient then goes
    back through each tile in turn. Each tile is computed with a margin as wide as VGG looks, and the picture's own
    border stays a border: nothing is approximated, and a seam cannot arise. A picture of one tile is not cut.
    """

    def __init__(self, loss: PerceptualLoss, side: int) -> None:
        super().__init__()
        self.loss = loss
        self.side = side

    @torch.no_grad()
    def content_target(self, photo: Tensor) -> Tensor:
        """Features of a photo [1, 3, H, W] at the content layer."""
        layer, rows = self.loss.config.content_layer, []
        for row in self._rows(photo):
            parts = [self._features(_crop(photo, _outer(box, photo)), box, photo, [layer])[layer] for box in row]
            rows.append(torch.cat(parts, 3))
        return torch.cat(rows, 2)

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Losses of a picture whose photo has `content_target`."""
        if len(self._boxes(pixels)) == 1:
            return self.loss(pixels, content_target)
        content, style = _Tiled.apply(pixels, content_target, self)
        return self.loss.total(content, style, pixels)

    def terms(self, pixels: Tensor, content_target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The weighted content and style losses, and the gradient of their sum."""
        loss, boxes = self.loss, self._boxes(pixels)
        with torch.no_grad():
            sums = self._sums(_crop(pixels, _outer(boxes[0], pixels)), content_target, boxes[0], pixels)
            for box in boxes[1:]:
                parts = self._sums(_crop(pixels, _outer(box, pixels)), content_target, box, pixels)
                sums = [one + other for one, other in zip(sums, parts, strict=True)]
        sums = [part.requires_grad_() for part in sums]
        with torch.enable_grad():
            content = loss.config.content_weight * loss.content.from_sum(sums[0], 1, content_target.numel())
            style = self._style(sums[1:], pixels)
            slopes = torch.autograd.grad(content + style, sums)
        gradient = torch.zeros_like(pixels)
        for box in boxes:
            tile = _crop(pixels, _outer(box, pixels)).detach().requires_grad_()
            with torch.enable_grad():
                parts = self._sums(tile, content_target, box, pixels)
                (part,) = torch.autograd.grad(parts, tile, slopes)
            _crop(gradient, _outer(box, pixels)).add_(part)
        return content.detach(), style.detach(), gradient

    def _sums(self, tile: Tensor, content_target: Tensor, box: Box, picture: Tensor) -> list[Tensor]:
        """What one tile adds: its squared content differences, and each F F^T by layer and painting."""
        config = self.loss.config
        features = self._features(tile, box, picture, self.loss.vgg.layers)
        target = _crop(content_target, _at(config.content_layer, box))
        sums = [(features[config.content_layer] - target).to(torch.float32).square().sum()]
        for layer in config.style_layers:
            c, h, w = features[layer].shape[1:]
            for guide in self._guides(layer, picture):
                part = None if guide is None else _crop(guide, _at(layer, box))
                sums.append(gram_matrix(features[layer], part) * (c * guided_pixels(h, w, part)))
        return sums

    def _style(self, products: list[Tensor], picture: Tensor) -> Tensor:
        loss, total, left = self.loss, torch.zeros((), device=picture.device), iter(products)
        for layer, weight in loss.style_weights.items():
            h, w = (side // _scale(layer) for side in picture.shape[2:])
            share = h * w / (picture.shape[2] * picture.shape[3])
            guides, losses = self._guides(layer, picture), loss.style_losses(layer)
            for part, style_loss, guide in zip(loss.blend, losses, guides, strict=True):
                product = next(left)
                gram = product / (product.shape[1] * guided_pixels(h, w, guide))
                total = total + loss.config.style_weight * weight * part * style_loss.from_gram(gram, share)
        return total

    def _guides(self, layer: str, picture: Tensor) -> list[Tensor | None]:
        return self.loss.guides(picture.shape[2] // _scale(layer), picture.shape[3] // _scale(layer))

    def _features(self, tile: Tensor, box: Box, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of a tile with its margin, from which the margin is then cut."""
        top, _, left, _ = _outer(box, picture)
        inside = (box[0] - top, box[1] - top, box[2] - left, box[3] - left)
        features = self.loss.vgg(tile, layers)
        return {layer: _crop(values, _at(layer, inside)) for layer, values in features.items()}

    def _boxes(self, picture: Tensor) -> list[Box]:
        return [box for row in self._rows(picture) for box in row]

    def _rows(self, picture: Tensor) -> list[list[Box]]:
        downs, rights = (_cuts(length, self.side) for length in picture.shape[2:])
        return [[(*down, *right) for right in rights] for down in downs]


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor, content_target: Tensor, tiled: TiledLoss) -> tuple[Tensor, Tensor]:
        content, style, gradient = tiled.terms(pixels, content_target)
        ctx.save_for_backward(gradient)
        return content, style

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, content: Tensor, style: Tensor) -> tuple[Tensor, None, None]:
        # The gradient is that of the sum of both terms, which is all that the total asks for.
        (gradient,) = ctx.saved_tensors
        return content * gradient, None, None


def _cuts(length: int, side: int) -> list[tuple[int, int]]:
    """Where tiles begin and end; a remainder in which pool5 has no pixel joins the tile before it."""
    starts = [*range(0, max(1, length - 31), side)]
    return [*zip(starts, [*starts[1:], length], strict=True)]


def _outer(box: Box, picture: Tensor) -> Box:
    top, bottom, left, right = box
    height, width = picture.shape[2:]
    return max(0, top - HALO), min(height, bottom + HALO), max(0, left - HALO), min(width, right + HALO)


def _at(layer: str, box: Box) -> Box:
    scale = _scale(layer)
    return box[0] // scale, box[1] // scale, box[2] // scale, box[3] // scale


def _scale(layer: str) -> int:
    """How many pixels of the picture one of a layer stands for, along a side."""
    block = int(layer.removeprefix("pool")[-1]) if layer.startswith("pool") else int(layer[4]) - 1
    return 2**block


def _crop(values: Tensor, box: Box) -> Tensor:
    top, bottom, left, right = box
    return values[:, :, top:bottom, left:right]
