"""The modules that networks are built of: convolutions with norms, residual blocks, and ways to upsample."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    """Convolution with reflection padding, or without, which leaves `kernel // 2` rows and columns out at each side."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        bias: bool = False,
        groups: int = 1,
        padded: bool = True,
    ) -> None:
        pad = [nn.ReflectionPad2d(kernel // 2) if padded else nn.Identity()] if kernel > 1 else []
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
    """Sub-pixel convolution without padding, which upsamples by 2 (Shi et al. 2016).

    The weights of the four subpixels are initialized equally, as for nearest neighbors (ICNR, Aitken et al. 2017), so
    that the network does not start with a checkerboard.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 12, 3, bias=True, padded=False)
        with torch.no_grad():
            for weight in self.conv[-1].parameters():
                weight.copy_(weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Upsample features to the three channels of a picture.

        Args:
            x: Features [N, C, H, W].

        Returns:
            A tensor [N, 3, 2 (H - 2), 2 (W - 2)].
        """
        return F.pixel_shuffle(self.conv(x), 2)


class Eighth(nn.Module):
    """Modules at half the resolution of their input, added to it: at 1/8 of the picture's resolution they see far.

    The last norm starts with the weight 0, so that the module starts as the identity.
    """

    def __init__(self, channels: int, inner: int, blocks: nn.Module) -> None:
        super().__init__()
        norm = InstanceNorm(channels)
        nn.init.zeros_(norm.weight)
        self.body = nn.Sequential(
            ConvNorm(channels, inner, 3, stride=2),
            blocks,
            Conv(inner, channels, 1),
            norm,
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the output of the modules to their input.

        Args:
            x: Features [N, C, H, W], H and W even.

        Returns:
            Features of the same shape.
        """
        return x + self.body(x)
