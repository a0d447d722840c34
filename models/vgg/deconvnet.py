"""The deconvnet: project the activation of a single VGG unit back to pixels (Zeiler & Fergus 2014)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from impasto.configs.schema.vgg_layers import NETWORKS
from impasto.models.vgg.features import VGGFeatures

Box = tuple[int, int, int, int]
"""top, bottom, left, right, in pixels of the picture."""


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's units, along one side in px.

    Attributes:
        size: Size of the field.
        step: Distance between the fields of neighboring units.
        start: Where the first unit's field begins; negative inside the padding.
    """

    size: int
    step: int
    start: int

    def box(self, row: int, column: int) -> Box:
        """Return the field of one unit; it may extend beyond the picture, where VGG pads with zeros."""
        top, left = self.start + self.step * row, self.start + self.step * column
        return top, top + self.size, left, left + self.size

    def inside(self, units: int, side: int) -> range:
        """Return the units of a row whose field lies inside a picture of `side` px, or all units if none does."""
        last = min(units - 1, (side - self.size - self.start) // self.step)
        return range(-(self.start // self.step), last + 1) or range(units)


def receptive_field(layer: str, network: str = "vgg16") -> ReceptiveField:
    """Return the receptive field of a layer's units."""
    names = NETWORKS[network]
    size, step, start = 1, 1, 0
    for name in names[: names.index(layer) + 1]:
        if name.startswith("conv"):  # 3x3
            size, start = size + 2 * step, start - step
        elif name.startswith("pool"):  # 2x2
            size, step = size + step, 2 * step
    return ReceptiveField(size, step, start)


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
