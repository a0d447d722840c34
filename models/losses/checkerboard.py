"""The checkerboard loss: periodic artifacts of upsampling (Odena et al. 2016)."""

import torch.nn.functional as F
from torch import Tensor, nn


class CheckerboardLoss(nn.Module):
    """Power of the pattern that repeats every `period` px.

    Networks that upsample leave a checkerboard in their pictures (Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts"). The perceptual loss does not penalize it, since VGG's pooling uses the same grid.

    With x the pictures, b a 5x5 box blur and W_k the K windows of 64 px that tile them, the mean period of a window and
    the loss are

        m_k[i, j] = mean over (u, v) of (x - b * x)[W_k at (u * period + i, v * period + j)],  0 <= i, j < period
        loss = mean over k, i, j, pictures and channels of m_k[i, j]^2

    Averaging over the periods of a window suppresses everything that does not repeat at that period.

    Args:
        period: Period in px; the stride of the network's grid, such as 4.
    """

    WINDOW = 64  # px

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, C, H, W], 0..255, H and W >= 32.

        Returns:
            A scalar in squared levels, >= 0; 0 for a flat picture.
        """
        return self.mean_periods(pixels).square().mean()

    def mean_periods(self, pixels: Tensor) -> Tensor:
        """Average each window over its periods.

        Args:
            pixels: Pictures x [N, C, H, W], 0..255, H and W >= 32.

        Returns:
            The means m in levels, [N, C, rows of windows, period, columns of windows, period].
        """
        period = self.period
        blurred = F.avg_pool2d(F.pad(pixels, (2, 2, 2, 2), mode="reflect"), 5, 1)
        cells = [min(self.WINDOW, side) // period for side in pixels.shape[2:]]
        rows, columns = (side // (cell * period) for side, cell in zip(pixels.shape[2:], cells, strict=True))
        fine = (pixels - blurred)[..., : rows * cells[0] * period, : columns * cells[1] * period]
        windows = fine.reshape(*pixels.shape[:2], rows, cells[0], period, columns, cells[1], period)
        return windows.mean((3, 6))
