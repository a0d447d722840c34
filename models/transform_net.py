"""The feed-forward networks: one pass maps a photo to a stylized picture, pixels to pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.configs.schema.model import ModelConfig

MULTIPLE = 4  # px; height and width must be multiples of it, since a network has two strides of 2
PIXEL_MEAN, PIXEL_SCALE = 127.5, 128.0  # networks normalize by (pixels - PIXEL_MEAN) / PIXEL_SCALE
EPSILON = 1e-4  # of instance norm; 1e-5 is subnormal in fp16, so a flat photo would give 0/0 on a phone


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalization (Ulyanov et al. 2016) with a fast training path on CPUs."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each channel of each photo, then scale and shift it.

        Args:
            x: Features [N, C, H, W].

        Returns:
            Features of the same shape.
        """
        # A batch norm per photo is the same arithmetic and preserves channels-last memory; instance_norm copies to NCHW
        # and back (20 ms against 33 ms for [4, 32, 256, 256] in bf16, forward and backward).
        if self.training and x.device.type == "cpu":
            photos = [
                F.batch_norm(photo, None, None, self.weight, self.bias, True, 0.0, self.eps) for photo in x.split(1)
            ]
            return torch.cat(photos)
        return super().forward(x)


class Conv(nn.Sequential):
    """Convolution with reflection padding, which avoids a frame along the border."""

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
    """Nearest-neighbor upsampling by 2, then ConvNorm, which avoids a checkerboard (Odena et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2), ConvNorm(inputs, outputs, 3))


class Residual(nn.Module):
    """Two 3x3 convolutions with instance norm and an identity shortcut (Gross & Wilber 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(channels, channels, 3), Conv(channels, channels, 3), InstanceNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Add the output of the two convolutions to their input.

        Args:
            x: Features [N, C, H, W].

        Returns:
            Features of the same shape.
        """
        return x + self.body(x)


class Recurrent(nn.Module):
    """One module applied several times to its own output: the depth of many with the weights of one."""

    def __init__(self, body: nn.Module, times: int) -> None:
        super().__init__()
        self.body = body
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module `times` times.

        Args:
            x: Features [N, C, H, W], which the module maps to features of the same shape.

        Returns:
            Features of the same shape.
        """
        for _ in range(self.times):
            x = self.body(x)
        return x


class Subpixel(nn.Module):
    """Sub-pixel convolution, which upsamples by 2 (Shi et al. 2016).

    The weights of the four subpixels are initialized equally, as for nearest neighbors (ICNR, Aitken et al. 2017), so
    that the network does not start with a checkerboard.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 12, 3, bias=True)
        with torch.no_grad():
            for weight in self.conv[-1].parameters():
                weight.copy_(weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Upsample features to the three channels of a picture.

        Args:
            x: Features [N, C, H, W].

        Returns:
            A tensor [N, 3, 2 H, 2 W].
        """
        return F.pixel_shuffle(self.conv(x), 2)


class Hourglass(nn.Module):
    """An encoder-decoder that does most of its work at a quarter of the resolution, and the rest at half of it.

    A skip connection carries the photo's detail past the blocks at half the resolution. Narrow layers there make
    strokes coarse, so a depthwise and a 1x1 convolution widen it.
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
        """Transform normalized pixels.

        Args:
            x: RGB [N, 3, H, W], about -1..1, H and W multiples of MULTIPLE.

        Returns:
            RGB before the sigmoid, [N, 3, H, W].
        """
        skip = self.entrance(x)
        return self.exit(self.wide(torch.cat([self.inner(skip), skip], 1)))


class TransformNet(nn.Module):
    """An image transformation network (Johnson et al. 2016) that normalizes its input and bounds its output.

        y = 255 sigmoid(body((x - PIXEL_MEAN) / PIXEL_SCALE))

    Args:
        body: Maps normalized pixels to a tensor of the same shape.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:
        """Stylize photos; `stylize` accepts any size.

        Args:
            pixels: RGB x [N, 3, H, W], 0..255, H and W multiples of MULTIPLE.

        Returns:
            RGB y [N, 3, H, W] in float32, 0..255.
        """
        # Exact in fp16 in this order and with a power of two: pixels / 127.5 - 1 costs up to 15 dB on smooth pictures.
        return 255 * torch.sigmoid(self.body((pixels - PIXEL_MEAN) / PIXEL_SCALE).float())


def johnson(config: ModelConfig) -> TransformNet:
    """Build the network of Johnson et al. 2016 (supplement, table 1) with instance norm and resize-convolution.

    Args:
        config: Its `width` scales 32, 64 and 128 channels; its `blocks` counts the residual blocks.

    Returns:
        The network with random weights.
    """
    a, b, c = (_channels(width, config.width) for width in (32, 64, 128))
    return TransformNet(
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


def mobile(config: ModelConfig) -> TransformNet:
    """Build a network for phones: residual blocks of dense 3x3 convolutions at a quarter of the resolution.

    Args:
        config: Its `width` scales the channels of `Hourglass`; its `blocks` counts the residual blocks.

    Returns:
        The network with random weights.
    """
    half, quarter, wide = (_channels(width, config.width) for width in (12, 32, 48))
    blocks = nn.Sequential(*(Residual(quarter) for _ in range(config.blocks)))
    return TransformNet(Hourglass(half, quarter, blocks, wide))


def tiny(config: ModelConfig) -> TransformNet:
    """Build a network of few bytes: one residual block, applied several times.

    Args:
        config: Its `width` scales the channels of `Hourglass`; the block is applied `blocks` times.

    Returns:
        The network with random weights.
    """
    half, quarter, wide = (_channels(width, config.width) for width in (8, 16, 16))
    return TransformNet(Hourglass(half, quarter, Recurrent(Residual(quarter), config.blocks), wide))


BUILDERS: dict[str, Callable[[ModelConfig], TransformNet]] = {"johnson": johnson, "mobile": mobile, "tiny": tiny}


def build(config: ModelConfig) -> TransformNet:
    """Build the network that `config` describes, initialized from torch's global random generator.

    Args:
        config: The architecture and its arguments.

    Returns:
        The network in training mode.
    """
    return BUILDERS[config.name](config)


def stylize(network: nn.Module, pixels: Tensor) -> Tensor:
    """Run a network on pixels of any size.

    Args:
        network: A TransformNet.
        pixels: RGB [N, 3, H, W], 0..255, H and W >= 16. They are padded to multiples of MULTIPLE with their edge.

    Returns:
        RGB [N, 3, H, W], 0..255.
    """
    height, width = pixels.shape[2:]
    return network(pad(pixels))[:, :, :height, :width]


def pad(pixels: Tensor) -> Tensor:
    """Pad pixels at the bottom and right with their edge.

    Args:
        pixels: Pictures [N, C, H, W].

    Returns:
        Pictures whose height and width are the next multiples of MULTIPLE; those that are multiples are unchanged.
    """
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")


def _channels(width: int, factor: float) -> int:
    return max(1, round(width * factor))
