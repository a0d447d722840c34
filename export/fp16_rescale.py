"""Rescale the convolutions before instance norms, so that nothing overflows in fp16.

Instance norm gives the same result for y and for s * y, if its epsilon is scaled by s * s. So a convolution before it
can be scaled freely, and by a power of two without rounding. How a phone computes an instance norm is not documented.
Two assumptions are made. It squares y - mean in 16 bits and accumulates the squares in more, since at the sizes of
photos a sum in 16 bits would be wrong at any scale. It flushes subnormal numbers to 0, so epsilon must be normal.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from impasto.export.test_images import Pixels, checkerboards, extremes, picture
from impasto.models import network_blocks, transform_net

FP16_MAX = 65504.0  # IEEE 754 binary16
FP16_MIN_NORMAL = 2.0**-14  # hardware may flush smaller numbers to 0
_HEADROOM = 2  # the factor by which calibration must stay below FP16_MAX; its images exceed the range of photos


@dataclass(frozen=True)
class ActivationRange:
    """The range of the output y of one convolution before an instance norm, over the images of a calibration.

    `absmax` is the largest magnitude of y, `max_square` the largest (y - mean)^2, with the mean of its channel.
    """

    name: str
    absmax: float
    max_square: float

    @property
    def scale(self) -> float:
        """The power of two, at most 1, that brings both below FP16_MAX with headroom."""
        limit = FP16_MAX / _HEADROOM
        needed = min(1.0, limit / max(self.absmax, 1e-30), math.sqrt(limit / max(self.max_square, 1e-30)))
        return 2.0 ** math.floor(math.log2(needed))


def fp16_safe(network: transform_net.TransformNet, pictures: Sequence[Pixels]) -> transform_net.TransformNet:
    """Return a copy of a network that equals it in fp32, and stays in the range of fp16 before instance norms.

    An epsilon is never less than FP16_MIN_NORMAL, so that a flat channel is never 0 / 0; where a scale requires less,
    the copy differs in channels that are nearly flat, and only there.

    Args:
        network: The network.
        pictures: The images for `calibrate`.
    """
    return fp16_safe_all([network], pictures)[0]


def fp16_safe_all(
    networks: Sequence[transform_net.TransformNet], pictures: Sequence[Pixels]
) -> list[transform_net.TransformNet]:
    """Return what `fp16_safe` does, of networks that share their convolutions: the copies have equal ones, too."""
    scales: dict[str, float] = {}
    for network in networks:
        for layer in calibrate(network, pictures):
            scales[layer.name] = min(layer.scale, scales.get(layer.name, 1.0))
    return [_rescaled(network, scales) for network in networks]


def _rescaled(network: transform_net.TransformNet, scales: Mapping[str, float]) -> transform_net.TransformNet:
    """A copy whose convolutions before instance norms are scaled, by name."""
    safe = copy.deepcopy(network)
    for chain, norm in _chains(safe):
        before = 1.0  # the scale of the previous convolution's output
        for name, convolution in chain:
            with torch.no_grad():
                for weight in convolution.parameters():
                    weight.mul_(scales[name] / before)
            before = scales[name]
        norm.eps = max(norm.eps * before**2, FP16_MIN_NORMAL)
    return safe


def calibrate(network: transform_net.TransformNet, pictures: Sequence[Pixels]) -> list[ActivationRange]:
    """Return the range of each convolution before an instance norm, over images [H, W, 3]."""
    outputs: dict[str, tuple[float, float]] = {}
    convolutions = dict(layer for chain, _ in _chains(network) for layer in chain)
    hooks = [convolution.register_forward_hook(_recorder(name, outputs)) for name, convolution in convolutions.items()]
    ranges = dict.fromkeys(convolutions, (0.0, 0.0))
    try:
        for rgb in pictures:
            with torch.inference_mode():
                transform_net.stylize(network, torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
                for name, (absmax, max_square) in ranges.items():
                    ranges[name] = max(absmax, outputs[name][0]), max(max_square, outputs[name][1])
                outputs.clear()
    finally:
        for hook in hooks:
            hook.remove()
    return [ActivationRange(name, absmax, max_square) for name, (absmax, max_square) in ranges.items()]


def calibration_images() -> list[Pixels]:
    """Return images of a wide range: photo-like, flat, saturated, noise, checkerboards. Deterministic.

    They are [256, 256, 3], and the checkerboards [1024, 768, 3], too: inside, their features have one value or few, so
    that a norm enlarges those at the border, and the more, the larger the image is.
    """
    return [*extremes(256, 256), picture(256, 256), picture(256, 512)[:, 256:], *checkerboards(1024, 768)]


def _chains(network: nn.Module) -> Iterator[tuple[list[tuple[str, nn.Conv2d]], nn.InstanceNorm2d]]:
    """Yield each instance norm with the convolutions before it, by name, which only padding separates."""
    before: dict[nn.Module, list[tuple[str, nn.Conv2d]]] = {}
    for above, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            for (name, first), (_, second) in pairwise(module.named_children()):
                if not isinstance(first, network_blocks.Conv):
                    continue
                convolution = first[-1]
                assert isinstance(convolution, nn.Conv2d)
                chain = [*before.get(first, []), (f"{above}.{name}", convolution)]
                if isinstance(second, network_blocks.ConvNorm):
                    before[second[0]] = chain
                elif isinstance(second, nn.InstanceNorm2d):
                    yield chain, second


def _recorder(name: str, outputs: dict[str, tuple[float, float]]) -> Callable[[nn.Module, object, Tensor], None]:
    def record(module: nn.Module, inputs: object, y: Tensor) -> None:
        absmax, max_square = outputs.get(name, (0.0, 0.0))  # a layer may run several times
        squares = (y - y.mean((2, 3), keepdim=True)).square()
        outputs[name] = max(absmax, float(y.abs().max())), max(max_square, float(squares.max()))

    return record
