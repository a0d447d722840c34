"""VGG as a feature extractor: layers by name, and no more of the network than they need."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.configs.schema import NETWORKS
from impasto.models.vgg_weights import Weights

# Mean of ImageNet in RGB, 0..255: Simonyan & Zisserman's published models
MEAN_RGB = (123.68, 116.779, 103.939)


# oneDNN's convolution with a ReLU in it, where this build of torch has it; the results are the same to the bit.
FUSED = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


class _ConvReLU(torch.autograd.Function):
    """A frozen 3x3 convolution and its ReLU in one pass over memory: a ReLU of bf16 alone costs half a convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, [1, 1], [1, 1], [1, 1], 1, "relu", [], "")
        ctx.save_for_backward(y, weight)
        ctx.shape, ctx.strides = x.shape, x.stride()
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        y, weight = ctx.saved_tensors
        slope = torch.ops.aten.threshold_backward(slope, y, 0)
        x = torch.empty_strided(ctx.shape, ctx.strides, dtype=slope.dtype)  # only its form is asked for
        conv = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
        gradient, _, _ = torch.ops.aten.convolution_backward(slope, x, weight, None, *conv, [True, False, False])
        return gradient, None, None


class VGGFeatures(nn.Module):
    """VGG-16 or VGG-19 (Simonyan & Zisserman 2015) up to the deepest of the named layers, frozen.

    Maps pixels [N, 3, H, W], RGB, 0..255, to {layer: features [N, C, h, w]} in the type of the weights. Only these
    layers may be asked for. Raises ValueError for a layer that the network does not have. `pooling` is max or average.
    """

    def __init__(self, layers: Iterable[str], weights: Weights, network: str = "vgg16", pooling: str = "max") -> None:
        super().__init__()
        names = NETWORKS[network]
        for layer in (layers := set(layers)):
            if layer not in names:
                raise ValueError(f"{network} has no layer {layer}; it has {', '.join(names)}")
        self.pooling = pooling
        self.layers = tuple(sorted(layers, key=names.index))
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1))
        self.net = nn.ModuleDict()
        for name in names[: names.index(self.layers[-1]) + 1]:
            self.net[name] = self._layer(name, weights)
        self.requires_grad_(False)

    def _layer(self, name: str, weights: Weights) -> nn.Module:
        if name.startswith("pool"):
            return nn.MaxPool2d(2) if self.pooling == "max" else nn.AvgPool2d(2)
        if name.startswith("relu"):
            return nn.ReLU(inplace=name.replace("relu", "conv") not in self.layers)
        weight = weights[f"{name}.weight"]
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        conv.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
        return conv

    def forward(self, pixels: Tensor, layers: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Features of the named layers (all of them by default), run only as deep as the deepest."""
        wanted = set(self.layers if layers is None else layers)
        x = pixels - self.get_buffer("mean")
        features = {}
        rectified = False  # by the convolution itself
        for name, layer in self.net.items():
            if isinstance(layer, nn.Conv2d):
                x = x.to(layer.weight.dtype)
                rectified = name not in wanted and _can_fuse(x)
                x = _ConvReLU.apply(x, layer.weight, layer.bias) if rectified else layer(x)
            elif not (rectified and isinstance(layer, nn.ReLU)):
                x = layer(x)
            if name in wanted:
                features[name] = x
                if len(features) == len(wanted):
                    break
        return features


def _can_fuse(x: Tensor) -> bool:
    return FUSED and x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
