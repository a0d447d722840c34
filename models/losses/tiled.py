"""The perceptual loss of pictures too large for VGG at once: computed in tiles, with the same value and gradient."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.models.image.tiling import Box, Tile, cut, equal_edges
from impasto.models.losses.perceptual import Losses, PerceptualLoss, downscale
from impasto.models.losses.terms import gram_matrix, guided_pixels
from impasto.models.vgg.receptive_field import layer_field

_DEEPEST = layer_field("pool5", "vgg19")
_STRIDE = int(_DEEPEST.step)
# Margin of a tile in px, for any layer: a multiple of the largest stride, so that tiles are pooled on the same grid as
# the whole picture.
HALO = _STRIDE * -(-_DEEPEST.margin() // _STRIDE)


class TiledLoss(nn.Module):
    """A PerceptualLoss for one picture of any size, computed on tiles.

    Content loss and Gram matrices are sums over pixels. A first pass adds up the sums of all tiles; a second pass
    backpropagates the gradient of the loss with respect to these sums through each tile. A tile has a margin as wide as
    VGG's receptive field, and the picture's border remains a border, so the result is exact and has no seams. A picture
    of one tile is not cut.

    Args:
        loss: The loss to compute.
        side: Side of the tiles without their margin, in px; a multiple of 32.
    """

    def __init__(self, loss: PerceptualLoss, side: int) -> None:
        super().__init__()
        self.loss = loss
        self.side = side

    @torch.no_grad()
    def content_target(self, photo: Tensor) -> Tensor:
        """Compute the features of a photo at the content layer.

        Args:
            photo: RGB [1, 3, H, W], 0..255.

        Returns:
            The content target [1, C, h, w], h and w the size of the content layer at content_scale.
        """
        layer, rows = self.loss.config.content_layer, []
        picture = downscale(photo, self.loss.config.content_scale)
        for row in self._rows(picture):
            parts = [self._features(_crop(picture, tile.outer), tile, [layer])[layer] for tile in row]
            rows.append(torch.cat(parts, 3))
        return torch.cat(rows, 2)

    def forward(self, pixels: Tensor, content_target: Tensor) -> Losses:
        """Compute the losses of a picture.

        Args:
            pixels: RGB [1, 3, H, W], 0..255.
            content_target: What `content_target` returned for its photo.

        Returns:
            The weighted terms, which are scalars.
        """
        if len(self._tiles(pixels)) == 1:
            return self.loss(pixels, content_target)
        content, style = _Tiled.apply(pixels, content_target, self)
        return self.loss.total(content, style, pixels)

    def terms(self, pixels: Tensor, content_target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the weighted content and style losses and their gradient, in tiles.

        Args:
            pixels: RGB [1, 3, H, W], 0..255.
            content_target: What `content_target` returned for its photo.

        Returns:
            The content loss and the style loss, which are scalars without a graph, and the gradient of their sum with
            respect to `pixels`, [1, 3, H, W].
        """
        content = style = torch.zeros((), device=pixels.device)
        gradient = torch.zeros_like(pixels)
        for scale in self.loss.scales():
            with torch.enable_grad():
                leaf = pixels.detach().requires_grad_()
                picture = downscale(leaf, scale)
            scale_content, scale_style, scale_gradient = self._scale_terms(picture.detach(), content_target, scale)
            content, style = content + scale_content, style + scale_style
            gradient += torch.autograd.grad(picture, leaf, scale_gradient)[0] if scale > 1 else scale_gradient
        return content, style, gradient

    def _scale_terms(self, picture: Tensor, content_target: Tensor, scale: int) -> tuple[Tensor, Tensor, Tensor]:
        """The terms and their gradient with respect to the picture at a scale."""
        tiles = self._tiles(picture)
        with torch.no_grad():
            sums = self._sums(_crop(picture, tiles[0].outer), content_target, tiles[0], picture, scale)
            for tile in tiles[1:]:
                tile_sums = self._sums(_crop(picture, tile.outer), content_target, tile, picture, scale)
                sums = [one + other for one, other in zip(sums, tile_sums, strict=True)]
        sums = [part.requires_grad_() for part in sums]
        with torch.enable_grad():
            content, style = self._terms_of_sums(sums, content_target, picture, scale)
            grads = torch.autograd.grad(content + style, sums)
        gradient = torch.zeros_like(picture)
        for tile in tiles:
            crop = _crop(picture, tile.outer).detach().requires_grad_()
            with torch.enable_grad():
                tile_sums = self._sums(crop, content_target, tile, picture, scale)
                (tile_gradient,) = torch.autograd.grad(tile_sums, crop, grads)
            _crop(gradient, tile.outer).add_(tile_gradient)
        return content.detach(), style.detach(), gradient

    def _sums(self, crop: Tensor, content_target: Tensor, tile: Tile, picture: Tensor, scale: int) -> list[Tensor]:
        """Return a tile's contribution: its squared content differences, and F F^T for each layer and style image."""
        loss, layer, sums = self.loss, self.loss.config.content_layer, []
        features = self._features(crop, tile, loss.layers(scale))
        if loss.has_content(scale):
            target = _crop(content_target, tile.inner.downscale(_stride(layer)))
            sums.append((features[layer] - target).to(torch.float32).square().sum())
        for layer in loss.style_weights if loss.has_style(scale) else ():
            c, h, w = features[layer].shape[1:]
            for guide in self._guides(layer, picture):
                tile_guide = None if guide is None else _crop(guide, tile.inner.downscale(_stride(layer)))
                sums.append(gram_matrix(features[layer], tile_guide) * (c * guided_pixels(h, w, tile_guide)))
        return sums

    def _terms_of_sums(
        self, sums: list[Tensor], content_target: Tensor, picture: Tensor, scale: int
    ) -> tuple[Tensor, Tensor]:
        """The weighted content and style losses of a scale, of the sums over all tiles."""
        loss, remaining = self.loss, iter(sums)
        content = style = torch.zeros((), device=picture.device)
        if loss.has_content(scale):
            content = loss.config.content_weight * loss.content.from_sums(next(remaining)[None], content_target)
        for layer, weight in loss.style_weights.items() if loss.has_style(scale) else ():
            h, w = (side // _stride(layer) for side in picture.shape[2:])
            pixel_ratio = h * w / (picture.shape[2] * picture.shape[3])
            guides, losses = self._guides(layer, picture), loss.style_losses(layer, scale)
            for blend_weight, style_loss, guide in zip(loss.blend, losses, guides, strict=True):
                product = next(remaining)
                gram = product / (product.shape[1] * guided_pixels(h, w, guide))
                term = style_loss.from_gram(gram, pixel_ratio)
                style = style + loss.config.style_weight * weight * blend_weight * term
        return content, (loss.scale_weights[scale] if loss.has_style(scale) else 0.0) * style

    def _guides(self, layer: str, picture: Tensor) -> list[Tensor | None]:
        return self.loss.guides(picture.shape[2] // _stride(layer), picture.shape[3] // _stride(layer))

    def _features(self, crop: Tensor, tile: Tile, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return the features of a tile from its pixels with their margin, which is cut from the features."""
        features = self.loss.vgg(crop, layers)
        return {layer: values[:, :, *tile.crop(_stride(layer))] for layer, values in features.items()}

    def _tiles(self, picture: Tensor) -> list[Tile]:
        return [tile for row in self._rows(picture) for tile in row]

    def _rows(self, picture: Tensor) -> list[list[Tile]]:
        # A remainder too short for a pixel of pool5 joins the tile before it.
        rows, columns = (equal_edges(length, self.side, shortest=_STRIDE) for length in picture.shape[2:])
        return cut(rows, columns, HALO)


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor, content_target: Tensor, tiled: TiledLoss) -> tuple[Tensor, Tensor]:
        content, style, gradient = tiled.terms(pixels, content_target)
        ctx.save_for_backward(gradient)
        return content, style

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, content: Tensor, style: Tensor) -> tuple[Tensor, None, None]:
        # Only the gradient of the sum is stored, since the total weighs both terms equally.
        (gradient,) = ctx.saved_tensors
        return content * gradient, None, None


def _stride(layer: str) -> int:
    """Return a layer's stride in px, which is the same in VGG-16 and VGG-19."""
    return int(layer_field(layer, "vgg19").step)


def _crop(values: Tensor, box: Box) -> Tensor:
    return values[:, :, *box.slices]
