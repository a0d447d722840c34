"""The drawing loss: outlines, faces, letters, light and shade of the photo stay where they are, in any colors."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.image.color import LUMA

SCALES = (1, 2, 4, 8, 16, 32, 64)  # downscaling factors: from outlines to what is dark and what is light


class DrawingLoss(nn.Module):
    """One minus the correlation of the luminance gradients of pictures and photos.

        loss = mean over k of 1 - <g_k(x), g_k(p)> / (|g_k(x)| |g_k(p)|)

    g_k is the gradient of the luminance of a picture averaged over squares of k x k pixels, for k in SCALES. A
    correlation permits any contrast, so dark and pale paintings keep theirs.
    """

    def forward(self, pixels: Tensor, photos: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pixels: Pictures x [N, 3, H, W], 0..255, H and W >= 32.
            photos: Their photos p [N, 3, H, W], 0..255.

        Returns:
            A scalar, 0..2, averaged over the batch; 1 for a flat picture or photo.
        """
        luma = torch.tensor(LUMA, device=pixels.device).view(1, 3, 1, 1)
        planes = [(images * luma).sum(1, keepdim=True) for images in (pixels, photos)]
        losses = []
        for scale in (scale for scale in SCALES if 2 * scale <= min(pixels.shape[2:])):
            picture, photo = (_gradients(F.avg_pool2d(plane, scale)) for plane in planes)
            losses.append(1 - F.cosine_similarity(picture, photo, dim=1, eps=1e-3))
        return torch.stack(losses).mean()


def _gradients(plane: Tensor) -> Tensor:
    return torch.cat([plane.diff(dim=2).flatten(1), plane.diff(dim=3).flatten(1)], 1)
