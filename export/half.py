"""Networks that 16-bit floats can compute: convolutions before an instance norm, rescaled so that nothing overflows.

Instance norm gives the same result for y and for s * y, if its epsilon is scaled by s * s. So a convolution before it
may be scaled freely, and by a power of two without any rounding. How a phone computes an instance norm is not
documented. It is assumed that it squares y - mean in 16 bits and adds the squares up in more, since at the sizes of
photos a sum in 16 bits would be wrong at any scale; and that it takes subnormal numbers for 0, so epsilon must be none.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from impasto.export.golden import Pixels, extremes, picture
from impasto.models import networks

LARGEST = 65504.0  # of fp16 (IEEE 754 binary16)
NORMAL = 2.0**-14  # smallest normal number of fp16; hardware may take what is smaller for 0
_ROOM = 2  # how far below LARGEST calibration must stay; its pictures reach further than photos


@dataclass(frozen=True)
class Reach:
    """How far the numbers of one convolution before an instance norm go, over the pictures of a calibration.

    `largest` is the largest magnitude of its output, `square` the largest (y - mean)^2, with the mean of its channel.
    `scale` brings both below LARGEST, with room: a power of two, 1 where nothing is to be done.
    """

    name: str
    largest: float
    square: float

    @property
    def scale(self) -> float:
        most = LARGEST / _ROOM
        needed = min(1.0, most / max(self.largest, 1e-30), math.sqrt(most / max(self.square, 1e-30)))
        return 2.0 ** math.floor(math.log2(needed))


def fp16_safe(network: networks.Transformer, pictures: Sequence[Pixels]) -> networks.Transformer:
    """A copy of a network, equal to it in fp32, whose convolutions before instance norms stay in the range of fp16.

    `pictures`: as for `reach`. An epsilon is never less than NORMAL, so that a flat channel is never 0 / 0; where a
    scale asks for less, the copy differs in channels that are nearly flat, and only there.
    """
    safe = copy.deepcopy(network)
    scales = {found.name: found.scale for found in reach(network, pictures)}
    for chain, norm in _chains(safe):
        before = 1.0  # what the output of the convolution before is scaled by
        for name, convolution in chain:
            with torch.no_grad():
                for weight in convolution.parameters():
                    weight.mul_(scales[name] / before)
            before = scales[name]
        norm.eps = max(norm.eps * before**2, NORMAL)
    return safe


def reach(network: networks.Transformer, pictures: Sequence[Pixels]) -> list[Reach]:
    """What each convolution before an instance norm gives on `pictures` [H, W, 3], sides multiples of 4, in fp32."""
    outputs: dict[str, tuple[float, float]] = {}
    convolutions = dict(layer for chain, _ in _chains(network) for layer in chain)
    hooks = [convolution.register_forward_hook(_keeper(name, outputs)) for name, convolution in convolutions.items()]
    found = dict.fromkeys(convolutions, (0.0, 0.0))
    try:
        for rgb in pictures:
            with torch.inference_mode():
                network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
                for name, reached in found.items():
                    found[name] = max(reached[0], outputs[name][0]), max(reached[1], outputs[name][1])
                outputs.clear()
    finally:
        for hook in hooks:
            hook.remove()
    return [Reach(name, largest, square) for name, (largest, square) in found.items()]


def calibration() -> list[Pixels]:
    """Pictures [256, 256, 3] that reach far: like photos, flat, saturated, noise, checkerboards. Always the same."""
    return [*extremes(256, 256), picture(256, 256), picture(256, 512)[:, 256:]]


def _chains(network: nn.Module) -> Iterator[tuple[list[tuple[str, nn.Conv2d]], nn.InstanceNorm2d]]:
    """The convolutions, by name, that each instance norm comes after, with nothing but padding between them."""
    before: dict[nn.Module, list[tuple[str, nn.Conv2d]]] = {}
    for above, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            for (name, first), (_, second) in pairwise(module.named_children()):
                if not isinstance(first, networks.Conv):
                    continue
                convolution = first[-1]
                assert isinstance(convolution, nn.Conv2d)
                chain = [*before.get(first, []), (f"{above}.{name}", convolution)]
                if isinstance(second, networks.ConvNorm):
                    before[second[0]] = chain
                elif isinstance(second, nn.InstanceNorm2d):
                    yield chain, second


def _keeper(name: str, outputs: dict[str, tuple[float, float]]) -> Callable[[nn.Module, object, Tensor], None]:
    def keep(module: nn.Module, inputs: object, y: Tensor) -> None:
        largest, square = outputs.get(name, (0.0, 0.0))  # a layer may be run several times
        squares = (y - y.mean((2, 3), keepdim=True)).square()
        outputs[name] = max(largest, float(y.abs().max())), max(square, float(squares.max()))

    return keep
