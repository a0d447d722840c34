"""Transformer networks: from a photo to a stylized picture, pixels to pixels, in one pass."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.configs.schema import ModelConfig

MULTIPLE = 4  # two strides of 2: sides that a network takes are multiples of this
GREY, SPREAD = 127.5, 128.0  # networks see pixels as (pixels - GREY) / SPREAD
EPSILON = 1e-4  # instance norm; 1e-5 is subnormal in fp16, and a flat photo would become 0/0 on a phone


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation (Ulyanov et al. 2016), fast on a CPU in training."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        # One batch norm a photo is the same arithmetic, but keeps channels-last memory, where instance_norm copies
        # to NCHW and back (20 ms against 33 ms for [4, 32, 256, 256] in bf16, forward and backward).
        if self.training and x.device.type == "cpu":
            photos = [
                F.batch_norm(photo, None, None, self.weight, self.bias, True, 0.0, self.eps) for photo in x.split(1)
            ]
            return torch.cat(photos)
        return super().forward(x)


class Conv(nn.Sequential):
    """Convolution with reflection padding, so that no frame shows at the border."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False, groups: int = 1
    ) -> None:
        pad = [nn.ReflectionPad2d(kernel // 2)] if kernel > 1 else []
        super().__init__(*pad, nn.Conv2d(inputs, outputs, kernel, stride, bias=bias, groups=groups))


class ConvNorm(nn.Sequential):
    """Convolution, instance norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(Conv(inputs, outputs, kernel, stride), InstanceNorm(outputs), nn.ReLU(inplace=True))


class Up(nn.Sequential):
    """Upsampling by 2 with nearest neighbours, then ConvNorm: no checkerboard (Odena et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2), ConvNorm(inputs, outputs, 3))


class Residual(nn.Module):
    """Two 3x3 convolutions with instance norm around an identity (Gross & Wilber 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(channels, channels, 3), Conv(channels, channels, 3), InstanceNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Recurrent(nn.Module):
    """One module, run several times on its own output: the depth of many at the weights of one."""

    def __init__(self, body: nn.Module, times: int) -> None:
        super().__init__()
        self.body = body
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.body(x)
        return x


class Subpixel(nn.Module):
    """Convolution to 2x2 pixels for each place, each a channel (Shi et al. 2016).

    All four begin alike, as nearest neighbours are (ICNR, Aitken et al. 2017), so that no grid has to be unlearned.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 12, 3, bias=True)
        with torch.no_grad():
            for weight in self.conv[-1].parameters():
                weight.copy_(weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), 2)


class Hourglass(nn.Module):
    """Most of the work at a quarter of the resolution, the rest at half of it, and nothing at the whole.

    What the entrance sees at half the resolution passes by the blocks: it carries the photo's detail. There the network
    must be wide, or strokes get coarse, so a depthwise convolution and a 1x1 one widen it.
    """

    def __init__(self, half: int, quarter: int, blocks: nn.Module, wide: int) -> None:
        super().__init__()
        self.entrance = ConvNorm(3, half, 5, stride=2)
        self.inner = nn.Sequential(
            ConvNorm(half, quarter, 3, stride=2), blocks, nn.Upsample(scale_factor=2, mode="bilinear")
        )
        both = half + quarter
        self.wide = nn.Sequential(Conv(both, both, 3, groups=both), ConvNorm(both, wide, 1))
        self.exit = Subpixel(wide)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.entrance(x)
        return self.exit(self.wide(torch.cat([self.inner(seen), seen], 1)))


class Transformer(nn.Module):
    """A network that maps pixels [N, 3, H, W], RGB, 0..255, to pixels of the same size and range.

    H and W must be multiples of MULTIPLE; `stylize` takes any size.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:
        # Exact in fp16, in this order and with a power of two: pixels / 127.5 - 1 costs up to 15 dB on smooth pictures.
        return 255 * torch.sigmoid(self.body((pixels - GREY) / SPREAD).float())


def johnson(config: ModelConfig) -> Transformer:
    """The residual network of Johnson et al. 2016 (supplement, table 1) with instance norm and resize-convolution."""
    a, b, c = (_channels(width, config.width) for width in (32, 64, 128))
    return Transformer(
        nn.Sequential(
            ConvNorm(3, a, 9),
            ConvNorm(a, b, 3, stride=2),
            ConvNorm(b, c, 3, stride=2),
            *(Residual(c) for _ in range(config.blocks)),
            Up(c, b),
            Up(b, a),
            Conv(a, 3, 9, bias=True),
        )
    )


def mobile(config: ModelConfig) -> Transformer:
    """A network for phones: residual blocks of dense 3x3 convolutions at a quarter of the resolution."""
    half, quarter, wide = (_channels(width, config.width) for width in (12, 32, 48))
    blocks = nn.Sequential(*(Residual(quarter) for _ in range(config.blocks)))
    return Transformer(Hourglass(half, quarter, blocks, wide))


def tiny(config: ModelConfig) -> Transformer:
    """A network of few bytes: one residual block, `blocks` times over."""
    half, quarter, wide = (_channels(width, config.width) for width in (8, 16, 16))
    return Transformer(Hourglass(half, quarter, Recurrent(Residual(quarter), config.blocks), wide))


BUILDERS: dict[str, Callable[[ModelConfig], Transformer]] = {"johnson": johnson, "mobile": mobile, "tiny": tiny}


def build(config: ModelConfig) -> Transformer:
    """The network that `config` describes, freshly initialised from torch's random numbers."""
    return BUILDERS[config.name](config)


def stylize(network: nn.Module, pixels: Tensor) -> Tensor:
    """Run a network on pixels [N, 3, H, W] of any size >= 16: pad by edge pixels to a multiple, crop back."""
    height, width = pixels.shape[2:]
    return network(pad(pixels))[:, :, :height, :width]


def pad(pixels: Tensor) -> Tensor:
    """Pixels [N, C, H, W] with their edge repeated below and on the right, to sides that are multiples of MULTIPLE."""
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")


def _channels(width: int, factor: float) -> int:
    return max(1, round(width * factor))
