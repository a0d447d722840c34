"""VGG as a feature extractor: layers are selected by name, and the network is built and run only as deep as needed."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto.configs.schema.vgg_layers import NETWORKS
from impasto.models.vgg.constants import MEAN_RGB, Weights

# Whether this build of torch has oneDNN's convolution with a fused ReLU; its results are bit-identical.
FUSED = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


class _ConvReLU(torch.autograd.Function):
    """A frozen 3x3 convolution fused with its ReLU: in bf16 a separate ReLU costs half as much as the convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, [1, 1], [1, 1], [1, 1], 1, "relu", [], "")
        ctx.save_for_backward(y, weight)
        ctx.shape, ctx.strides = x.shape, x.stride()
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        y, weight = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
        x = torch.empty_strided(ctx.shape, ctx.strides, dtype=grad.dtype)  # only its shape is read
        conv = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
        grad_x, _, _ = torch.ops.aten.convolution_backward(grad, x, weight, None, *conv, [True, False, False])
        return grad_x, None, None


class VGGFeatures(nn.Module):
    """VGG-16 or VGG-19 (Simonyan & Zisserman 2015), frozen, up to the deepest of the named layers.

    Maps pixels [N, 3, H, W], RGB, 0..255, to {layer: features [N, C, h, w]} in the dtype of the weights.

    Args:
        layers: The layers that `forward` may be asked for.
        weights: The convolutions, as `weights.load` returns them.
        network: `vgg16` or `vgg19`.
        pooling: `max` or `average`.

    Raises:
        ValueError: The network has no such layer.

    Examples:
        >>> from impasto.models.vgg import weights
        >>> vgg = impasto.VGGFeatures(["relu2_2", "relu3_3"], weights.load("random"))  # "auto" loads the original ones
        >>> {layer: features.shape for layer, features in vgg(torch.zeros(1, 3, 32, 48)).items()}
        {'relu2_2': torch.Size([1, 128, 16, 24]), 'relu3_3': torch.Size([1, 256, 8, 12])}
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
        """Compute the features of the named layers.

        Args:
            pixels: RGB [N, 3, H, W], 0..255.
            layers: A subset of the layers given at construction; all of them by default.
        """
        requested = set(self.layers if layers is None else layers)
        x = pixels - self.get_buffer("mean")
        features = {}
        fused = False  # whether the last convolution included its ReLU
        for name, layer in self.net.items():
            if isinstance(layer, nn.Conv2d):
                x = x.to(layer.weight.dtype)
                fused = name not in requested and _can_fuse(x)
                x = _ConvReLU.apply(x, layer.weight, layer.bias) if fused else layer(x)
            elif not (fused and isinstance(layer, nn.ReLU)):
                x = layer(x)
            if name in requested:
                features[name] = x
                if len(features) == len(requested):
                    break
        return features


def _can_fuse(x: Tensor) -> bool:
    if not FUSED or x.device.type != "cpu":
        return False
    # oneDNN has no bf16 on older processors, where torch's own convolution is used.
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
