"""The blotch loss: where the photo has no edges, a picture has no coarse ones, in any color."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.losses.opponent import OpponentColors

SCALES = (8, 16)  # downscaling factors: fine texture averages out, and wide strokes count
FLOOR = 3.0  # levels between neighbors: below it a surface shades, and has no blotches
UNIT = 10.0  # levels that count as 1
_EPSILON = 1e-2  # squared levels, so that the gradient of the root is finite


class BlotchLoss(nn.Module):
    """The differences between neighbors in a small copy of a picture, beyond those of the photo.

        loss = mean over scales k, axes and pixels of max(0, |d_k(x)| - max |d_k(p)| - FLOOR) / UNIT

    d_k is the difference of neighbors along an axis, as a vector of luminance and two colors, in the picture averaged
    over squares of k x k pixels, for k in SCALES. Its maximum for the photo p is over 3 x 3 of them, since an edge may
    move a little. Gram matrices and the palette ask a network for all of the painting's colors. It has little else to
    choose by than how light a place is, and so it cuts what shades evenly, such as skin, clothes and tables, into
    patches of different colors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.colors = OpponentColors()

    def forward(self, pixels: Tensor, photos: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= 16.
            photos: Their photos p [N, 3, H, W], 0..255.

        Returns:
            A scalar, >= 0, averaged over the batch.
        """
        picture, photo = self.colors(pixels), self.colors(photos)
        losses = []
        for scale in (scale for scale in SCALES if 2 * scale <= min(pixels.shape[2:])):
            small, small_photo = F.avg_pool2d(picture, scale), F.avg_pool2d(photo, scale)
            for axis in (2, 3):
                permitted = F.max_pool2d(_norm(small_photo.diff(dim=axis)), 3, 1, 1) + FLOOR
                losses.append(F.relu(_norm(small.diff(dim=axis)) - permitted).mean())
        return torch.stack(losses).mean() / UNIT


def _norm(differences: Tensor) -> Tensor:
    return (differences.square().sum(1, keepdim=True) + _EPSILON).sqrt()
