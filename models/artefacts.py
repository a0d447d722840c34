"""What networks leave in pictures that nobody painted: a lattice, saturated blobs, a frame along the border."""

import math

import torch
from scipy import ndimage
from torch import Tensor

from impasto.models.losses import LatticeLoss
from impasto.models.networks import MULTIPLE

CONTROLS = (3, 5)  # px; these periods share no frequency with a network's grid
FAINT = 2.0  # levels; finer grain than this counts as flat
SATURATED = 4  # levels from 0 or 255
LEAST, WIDEST = 4, 48  # px; sides of a blob
FILLED = 0.6  # share of its bounding box; a disc fills 0.79, an outline or a brush stroke less
FRAME, INSIDE = 4, 12  # px


def figures(pixels: Tensor) -> dict[str, float]:
    """The artefacts of pictures [N, 3, H, W], 0..255, H and W >= 32: `lattice`, `blobs` and `border`.

    `lattice` is the larger one of those of the network's two grids, of 4 px and of 2.
    """
    return {
        "lattice": max(lattice(pixels, period) for period in (MULTIPLE, MULTIPLE // 2)),
        "blobs": blobs(pixels),
        "border": border(pixels),
    }


@torch.no_grad()
def lattice(pixels: Tensor, period: int) -> float:
    """What repeats every `period` px in pictures [N, C, H, W], 0..255, against what repeats every 3 and every 5 px.

    E(period) / sqrt(E(3) E(5)), the mean over windows of 64 px, so that smooth places count as much as busy ones. E is
    the mean square of the mean period (LatticeLoss) times what makes it the variance of the picture where the picture
    is noise, plus FAINT^2. About 1 where there is no lattice, less for a period of 2 (photos are smooth); no upper end.
    """
    height, width = (min(LatticeLoss.WINDOW, side) for side in pixels.shape[2:])
    windows = pixels.unfold(2, height, height).unfold(3, width, width)
    windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, pixels.shape[1], height, width)
    around = torch.stack([_energy(windows, control).log() for control in CONTROLS]).mean(0).exp()
    return (_energy(windows, period) / around).mean().item()


def _energy(windows: Tensor, period: int) -> Tensor:
    cells = math.prod(side // period for side in windows.shape[2:])
    squares = LatticeLoss(period).mean_periods(windows).square().flatten(1).mean(1)
    return squares * cells / (1 - period**-2) + FAINT**2


def blobs(pixels: Tensor) -> float:
    """Saturated blobs in pictures [N, 3, H, W], 0..255, per megapixel: droplets of instance norm, dead white dots.

    A blob is connected pixels whose channels are each within SATURATED levels of 0 or 255, 4 px or more on both sides,
    at most 48 px and a quarter of the picture, that fill 60 % of their bounding box. Photos have some of their own.
    """
    n, _, height, width = pixels.shape
    widest = min(WIDEST, height // 4, width // 4)
    count = 0
    for mask in ((pixels <= SATURATED) | (pixels >= 255 - SATURATED)).all(1).cpu().numpy():
        parts, _ = ndimage.label(mask)
        for index, box in enumerate(ndimage.find_objects(parts), 1):
            sides = [side.stop - side.start for side in box]
            if min(sides) >= LEAST and max(sides) <= widest:
                count += bool((parts[box] == index).mean() >= FILLED)
    return 1e6 * count / (n * height * width)


def border(pixels: Tensor) -> float:
    """How far the outer 4 px of pictures [N, 3, H, W], 0..255, H and W >= 32, differ from the next 12 px.

    (|difference of means| + |difference of standard deviations|) / (1 + the standard deviation of the inner 12 px), the
    mean over channels: 0 where there is no frame; no upper end.
    """
    height, width = pixels.shape[2:]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    depth = torch.minimum(torch.minimum(rows, height - 1 - rows), torch.minimum(columns, width - 1 - columns))
    frame = pixels[..., depth < FRAME]
    inside = pixels[..., (depth >= FRAME) & (depth < FRAME + INSIDE)]
    spread = inside.std(-1)
    moved = (frame.mean(-1) - inside.mean(-1)).abs() + (frame.std(-1) - spread).abs()
    return (moved / (1 + spread)).mean().item()
