"""The feed-forward networks: one pass maps a photo to a stylized picture, pixels to pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.configs.schema.model import STRIDE, ModelConfig
from impasto.models import coarse_to_fine
from impasto.models.network_blocks import Conv, ConvNorm, Eighth, Recurrent, Residual, Subpixel, Up

PIXEL_MEAN, PIXEL_SCALE = 127.5, 128.0  # networks normalize by (pixels - PIXEL_MEAN) / PIXEL_SCALE
BORDER = 4  # px around a photo that mirror it; networks paint a dull frame there, and their last layers leave it out


class Hourglass(nn.Module):
    """An encoder-decoder that does most of its work at a quarter of the resolution, and the rest at half of it.

    A skip connection carries the photo's detail past the blocks at half the resolution. Narrow layers there make
    strokes coarse, so a depthwise and a 1x1 convolution widen it. The last two 3x3 convolutions leave BORDER px out.
    """

    def __init__(self, half: int, quarter: int, blocks: nn.Module, wide: int) -> None:
        super().__init__()
        self.entrance = ConvNorm(3, half, 5, stride=2)
        self.inner = nn.Sequential(
            ConvNorm(half, quarter, 3, stride=2), blocks, nn.Upsample(scale_factor=2, mode="bilinear")
        )
        both = half + quarter
        self.wide = nn.Sequential(Conv(both, both, 3, groups=both, padded=False), ConvNorm(both, wide, 1))
        self.exit = Subpixel(wide)

    def forward(self, x: Tensor) -> Tensor:
        """Transform normalized pixels.

        Args:
            x: RGB with the border [N, 3, H, W], about -1..1, H and W multiples of the stride of the coarsest features.

        Returns:
            RGB before the sigmoid, without the border: [N, 3, H - 2 BORDER, W - 2 BORDER].
        """
        skip = self.entrance(x)
        return self.exit(self.wide(torch.cat([self.inner(skip), skip], 1)))


class TransformNet(nn.Module):
    """An image transformation network (Johnson et al. 2016) that normalizes its input and bounds its output.

        y = 255 sigmoid(body(mirror((x - PIXEL_MEAN) / PIXEL_SCALE))),

    where `mirror` pads each side by BORDER px.

    Args:
        body: Maps normalized pixels to a tensor without BORDER px at each side.
        stride: What height and width must be multiples of, in px; see `ModelConfig.stride`.
        passes: How often it stylizes a photo, from small to full size; see `coarse_to_fine`.

    Examples:
        >>> from impasto.models import checkpoint, zoo
        >>> network, card = checkpoint.load(zoo.resolve("zoo/starry_night/tiny", ".safetensors"))
        >>> isinstance(network, impasto.TransformNet), card.style.name
        (True, 'starry_night')
        >>> network(torch.zeros(1, 3, 32, 48)).shape
        torch.Size([1, 3, 32, 48])
    """

    def __init__(self, body: nn.Module, stride: int = STRIDE, passes: int = 1) -> None:
        super().__init__()
        self.body = body
        self.stride = stride
        self.passes = passes

    def forward(self, pixels: Tensor) -> Tensor:
        """Stylize photos; `stylize` accepts any size.

        Args:
            pixels: RGB x [N, 3, H, W], 0..255, H and W multiples of `stride`.

        Returns:
            RGB y [N, 3, H, W] in float32, 0..255.

        Raises:
            ValueError: The body does not leave out the border.
        """
        return coarse_to_fine.stylize(self._paint, pixels, self.passes)

    def _paint(self, pixels: Tensor) -> Tensor:
        """One pass."""
        # Exact in fp16 in this order and with a power of two: pixels / 127.5 - 1 costs up to 15 dB on smooth pictures.
        mirrored = F.pad((pixels - PIXEL_MEAN) / PIXEL_SCALE, (BORDER,) * 4, mode="reflect")
        painted = self.body(mirrored)
        if not torch.compiler.is_exporting() and painted.shape != pixels.shape:
            raise ValueError(
                f"the body of a network must leave out {BORDER} px at each side, but from {[*mirrored.shape]} it made "
                f"{[*painted.shape]}; see docs/extend.md"
            )
        return 255 * torch.sigmoid(painted.float())


def johnson(config: ModelConfig) -> TransformNet:
    """Build the network of Johnson et al. 2016 (supplement, table 1) with instance norm and resize-convolution.

    Args:
        config: Its `width` scales 32, 64 and 128 channels; its `blocks` counts the residual blocks.

    Returns:
        The network with random weights.
    """
    a, b, c = (_channels(width, config.width) for width in (32, 64, 128))
    body = nn.Sequential(
        ConvNorm(3, a, 9),
        ConvNorm(a, b, 3, stride=2),
        ConvNorm(b, c, 3, stride=2),
        *(Residual(c) for _ in range(config.blocks)),
        Up(c, b),
        Up(b, a),
        Conv(a, 3, 2 * BORDER + 1, bias=True, padded=False),
    )
    return TransformNet(body, config.stride, config.passes)


def mobile(config: ModelConfig) -> TransformNet:
    """Build a network for phones: residual blocks of dense 3x3 convolutions at 1/4 and 1/8 of the resolution.

    Args:
        config: Its `width` scales the channels of `Hourglass`; its `blocks` counts the residual blocks at a quarter of
            the resolution, its `eighth_blocks` those at an eighth, after the first of the others.

    Returns:
        The network with random weights.
    """
    half, quarter, eighth, wide = (_channels(width, config.width) for width in (12, 32, 36, 48))
    blocks: list[nn.Module] = [Residual(quarter) for _ in range(config.blocks)]
    if config.eighth_blocks:
        inner = nn.Sequential(*(Residual(eighth) for _ in range(config.eighth_blocks)))
        blocks.insert(1, Eighth(quarter, eighth, inner))
    return TransformNet(Hourglass(half, quarter, nn.Sequential(*blocks), wide), config.stride, config.passes)


def tiny(config: ModelConfig) -> TransformNet:
    """Build a network of few bytes: one residual block, applied several times.

    Args:
        config: Its `width` scales the channels of `Hourglass`; the block is applied `blocks` times.

    Returns:
        The network with random weights.
    """
    half, quarter, wide = (_channels(width, config.width) for width in (8, 16, 16))
    body = Hourglass(half, quarter, Recurrent(Residual(quarter), config.blocks), wide)
    return TransformNet(body, config.stride, config.passes)


BUILDERS: dict[str, Callable[[ModelConfig], TransformNet]] = {"johnson": johnson, "mobile": mobile, "tiny": tiny}


def build(config: ModelConfig) -> TransformNet:
    """Build the network that `config` describes, initialized from torch's global random generator.

    Args:
        config: The architecture and its arguments.

    Returns:
        The network in training mode.
    """
    return BUILDERS[config.name](config)


def stylize(network: TransformNet, pixels: Tensor) -> Tensor:
    """Run a network on pixels of any size.

    Args:
        network: The network.
        pixels: RGB [N, 3, H, W], 0..255, H and W >= 32. They are padded to multiples of the stride with their edge.

    Returns:
        RGB [N, 3, H, W], 0..255.
    """
    height, width = pixels.shape[2:]
    return network(pad(pixels, network.stride))[:, :, :height, :width]


def pad(pixels: Tensor, multiple: int) -> Tensor:
    """Pad pixels at the bottom and right with their edge.

    Args:
        pixels: Pictures [N, C, H, W].
        multiple: What height and width must be multiples of, in px; 1 for no padding.

    Returns:
        Pictures whose height and width are the next multiples; those that are multiples are unchanged.
    """
    if multiple == 1:
        return pixels
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _channels(width: int, factor: float) -> int:
    return max(1, round(width * factor))
