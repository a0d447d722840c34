"""The frame loss: the border of a picture looks like the rest of it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIPS = ((0, 4), (4, 16))  # px; distances of the strips along the border from it
INNER = (16, 48)  # px; of the strip that they are compared with
SENSITIVITY = 16.0  # of means: a frame of a quarter of the standard deviation is visible


class FrameLoss(nn.Module):
    """The difference between the strips along the four borders and their neighbors.

        loss = mean over sides, strips and channels of
               (SENSITIVITY (m_strip - m_inner)^2 + (s_strip - s_inner)^2) / (s_inner^2 + 1)

    m and s are the mean and the standard deviation of a strip, of the colors and of the colors minus their 5x5 box blur
    (so that a weave along the border counts). Features along the border are computed from padding, so
    networks paint a frame there; `transform_net.BORDER` leaves its outer part out.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures [N, 3, H, W], 0..255, H and W >= 96.

        Returns:
            A scalar, >= 0, averaged over the batch; 0 where outer and inner strips have equal statistics.
        """
        fine = pixels - F.avg_pool2d(F.pad(pixels, (2, 2, 2, 2), mode="reflect"), 5, 1)
        sides = []
        for turns in range(4):
            picture = torch.cat([pixels, fine], 1).rot90(turns, (2, 3))
            inner = picture[..., slice(*INNER), :]
            mean, spread = inner.mean((2, 3)), inner.std((2, 3))
            for first, last in STRIPS:
                strip = picture[..., first:last, :]
                means, spreads = strip.mean((2, 3)) - mean, strip.std((2, 3)) - spread
                sides.append((SENSITIVITY * means.square() + spreads.square()) / (spread.square() + 1))
        return torch.stack(sides).mean()
