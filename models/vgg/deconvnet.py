"""The deconvnet: project the activation of a single VGG unit back to pixels (Zeiler & Fergus 2014)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from impasto.models.vgg.features import VGGFeatures


class Deconvnet:
    """One forward pass of VGG, with what the projection of single units back to pixels needs.

    Args:
        vgg: The network and its layers.
        pixels: RGB [1, 3, H, W], 0..255.

    Attributes:
        features: The features [C, h, w] of each of the layers of `vgg`.
    """

    @torch.no_grad()
    def __init__(self, vgg: VGGFeatures, pixels: Tensor) -> None:
        self.vgg = vgg
        self.features: dict[str, Tensor] = {}
        self._switches: dict[str, Tensor] = {}
        self._shapes: dict[str, torch.Size] = {}
        x = pixels - vgg.get_buffer("mean")
        for name, layer in vgg.net.items():
            self._shapes[name] = x.shape
            if isinstance(layer, torch.nn.MaxPool2d):
                x, self._switches[name] = F.max_pool2d(x, 2, return_indices=True)
            else:
                x = layer(x)
            if name in vgg.layers:
                self.features[name] = x[0]

    @torch.no_grad()
    def project(self, layer: str, channel: int, row: int, column: int) -> Tensor:
        """Project one unit's activation, all others set to zero, to pixels [3, H, W] (Zeiler & Fergus 2014, sec. 2.1).

        A max-pooling is inverted with its switches, a ReLU with a ReLU, and a convolution with its transposed filters.
        An average pooling has no switches and is inverted with its transpose.
        """
        names = list(self.vgg.net)
        signal = torch.zeros_like(self.features[layer])[None]
        signal[0, channel, row, column] = self.features[layer][channel, row, column]
        for name in reversed(names[: names.index(layer) + 1]):
            if name.startswith("conv"):
                signal = F.conv_transpose2d(signal, self.vgg.net.get_parameter(f"{name}.weight"), padding=1)
            elif name.startswith("relu"):
                signal = signal.relu()
            else:
                signal = self._unpool(name, signal)
        return signal[0]

    def _unpool(self, name: str, signal: Tensor) -> Tensor:
        height, width = self._shapes[name][2:]
        if name in self._switches:
            return F.max_unpool2d(signal, self._switches[name], [2, 2], output_size=[height, width])
        spread = signal.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        return F.pad(spread, (0, width - spread.shape[3], 0, height - spread.shape[2]))
