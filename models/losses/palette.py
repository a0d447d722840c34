"""The palette loss: pictures have the painting's colors, from its darkest to its lightest, in its proportions."""

from collections.abc import Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.moving_average import MovingAverages, average

# The 13 axes of the RGB cube through its faces, edges and corners; one of each pair of opposite axes
AXES = [axis for axis in product((-1, 0, 1), repeat=3) if axis > (0, 0, 0)]
SCALE = 4  # px; the colors of areas, not of single pixels
THRESHOLDS = 32  # for each axis: quantiles of the painting
SOFTNESS = 6.0  # levels; colors this near to a threshold are partly below it
CDFS = "color_cdfs"


class PaletteLoss(nn.Module):
    """The distance between the distributions of colors, along 13 axes of the RGB cube.

        loss = 12 mean over axes d and thresholds t of (F_d(t; x) - F_d(t; a))^2

    F_d(t; x) is the share of the picture's pixels whose projection on d is below t: a sliced Cramer distance, with the
    painting's quantiles as thresholds, so that it is 0 for the painting and 1 for a flat picture of its median color.
    Gram matrices and spectra do not see the range of tones: without this loss, networks paint in medium tones.

    Args:
        style_images: The style images a, RGB [1, 3, H, W], 0..255, H and W >= SCALE; their mean F_d counts.
    """

    def __init__(self, style_images: Sequence[Tensor]) -> None:
        super().__init__()
        self.register_buffer("axes", F.normalize(torch.tensor(AXES, dtype=torch.float32)).T.contiguous())
        projections = [self._project(image)[0] for image in style_images]
        quantiles = (torch.arange(THRESHOLDS) + 0.5) / THRESHOLDS
        colors = torch.cat(projections)
        colors = colors[:: max(1, len(colors) // 2**20)]  # torch.quantile takes at most 2**24 values
        self.register_buffer("thresholds", torch.quantile(colors, quantiles.to(colors), dim=0))  # [thresholds, axes]
        self.register_buffer("target", torch.cat([self.cdfs(image) for image in style_images]).mean(0, keepdim=True))

    def forward(self, pixels: Tensor, averages: MovingAverages | None = None) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= SCALE.
            averages: Averages of F_d(t; x), which start from `initial`; by default each picture's own count.

        Returns:
            A scalar, >= 0, averaged over the batch.
        """
        return 12 * (average(averages, CDFS, self.cdfs(pixels)) - self.get_buffer("target")).square().mean()

    def initial(self) -> dict[str, Tensor]:
        """Return the painting's distributions by the name that `forward` gives to the averages."""
        return {CDFS: self.get_buffer("target")}

    def cdfs(self, pixels: Tensor) -> Tensor:
        """Return F of pictures [N, 3, H, W], [N, thresholds, axes], 0..1."""
        colors = self._project(pixels)[:, :, None]  # [N, pixels, 1, axes]
        return torch.sigmoid((self.get_buffer("thresholds") - colors) / SOFTNESS).mean(1)

    def _project(self, pixels: Tensor) -> Tensor:
        """Colors of squares of SCALE px along the axes, [N, pixels, axes]."""
        return F.avg_pool2d(pixels.float(), SCALE).flatten(2).transpose(1, 2) @ self.get_buffer("axes")
