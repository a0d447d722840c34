"""Luminance and color of pictures, whole or in windows: what the losses on textures see."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows: luminance, red-green and blue-yellow, orthonormal
OPPONENT = ((3**-0.5, 3**-0.5, 3**-0.5), (2**-0.5, -(2**-0.5), 0.0), (6**-0.5, 6**-0.5, -2 * 6**-0.5))


class OpponentColors(nn.Module):
    """Converts RGB to opponent colors, in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("opponent", torch.tensor(OPPONENT, dtype=torch.float32)[:, :, None, None])

    def forward(self, pixels: Tensor, channels: int = len(OPPONENT)) -> Tensor:
        """Return the first `channels` of OPPONENT of pictures [N, 3, H, W], in levels: [N, channels, H, W]."""
        return F.conv2d(pixels.float(), self.get_buffer("opponent")[:channels])


class OpponentWindows(nn.Module):
    """Cuts the opponent colors of pictures into half-overlapping windows, as a Fourier transform needs them.

    The mean of a window is subtracted, and the rest is multiplied by a Hann window that preserves the variance.

    Args:
        side: The side of a window in px.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.colors = OpponentColors()
        window = torch.hann_window(side, dtype=torch.float32)
        window = window[:, None] * window
        self.register_buffer("window", window / window.square().mean().sqrt())

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the windows of pictures [N, 3, H, W], 0..255: [N, channels, rows, columns, side, side]."""
        blocks = self.colors(pixels).unfold(2, self.side, self.side // 2).unfold(3, self.side, self.side // 2)
        return (blocks - blocks.mean((-2, -1), keepdim=True)) * self.get_buffer("window")
