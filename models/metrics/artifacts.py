"""Artifacts of networks: a checkerboard, saturated blobs, a frame along the border."""

import math

import torch
from scipy import ndimage
from torch import Tensor

from impasto.models.losses.checkerboard import CheckerboardLoss

PERIODS = (4, 2)  # px; the grids of networks with two strides of 2
CONTROL_PERIODS = (3, 5)  # px; they share no frequency with a network's grid
NOISE_FLOOR = 2.0  # levels; weaker patterns count as flat
SATURATED = 4  # levels from 0 or 255
MIN_BLOB, MAX_BLOB = 4, 48  # px; sides of a blob
MIN_FILL = 0.6  # of the bounding box; a disc fills 0.79 of it, an outline or a brush stroke less
FRAME, INSIDE = 4, 12  # px


def figures(pixels: Tensor) -> dict[str, float]:
    """Measure all artifacts of pictures.

    Args:
        pixels: RGB [N, 3, H, W], 0..255, H and W >= 32.

    Returns:
        `checkerboard` (the larger one of the network's two grids, of 4 px and of 2 px), `blobs` and `border`; see the
        functions of these names.
    """
    return {
        "checkerboard": max(checkerboard(pixels, period) for period in PERIODS),
        "blobs": blobs(pixels),
        "border": border(pixels),
    }


@torch.no_grad()
def checkerboard(pixels: Tensor, period: int) -> float:
    """Measure the checkerboard of a period, relative to the periods of 3 and 5 px.

        E(period) / sqrt(E(3) E(5)), the mean over windows of 64 px
        E(p) = mean of m_p^2 * cells / (1 - 1 / p^2) + NOISE_FLOOR^2

    m_p is the mean period of a window (see `CheckerboardLoss`) and `cells` the number of periods that it averages. The
    factor makes E the variance of the picture where the picture is white noise. Windows are weighted equally, so that
    smooth regions count as much as busy ones.

    Args:
        pixels: Pictures [N, C, H, W], 0..255.
        period: Period in px.

    Returns:
        About 1 without a checkerboard, less for a period of 2 (photos are smooth); no upper bound.
    """
    height, width = (min(CheckerboardLoss.WINDOW, side) for side in pixels.shape[2:])
    windows = pixels.unfold(2, height, height).unfold(3, width, width)
    windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, pixels.shape[1], height, width)
    baseline = torch.stack([_energy(windows, control).log() for control in CONTROL_PERIODS]).mean(0).exp()
    return (_energy(windows, period) / baseline).mean().item()


def _energy(windows: Tensor, period: int) -> Tensor:
    cells = math.prod(side // period for side in windows.shape[2:])
    squares = CheckerboardLoss(period).mean_periods(windows).square().flatten(1).mean(1)
    return squares * cells / (1 - period**-2) + NOISE_FLOOR**2


def blobs(pixels: Tensor) -> float:
    """Count saturated blobs per megapixel: droplets of instance norm, and white dots of dead channels.

    A blob is a connected region whose channels are each within SATURATED levels of 0 or 255. Both sides are at least
    MIN_BLOB and at most MAX_BLOB px and a quarter of the picture, and the region fills MIN_FILL of its bounding box.
    Photos have some blobs, too.

    Args:
        pixels: RGB [N, 3, H, W], 0..255.

    Returns:
        Blobs per megapixel, >= 0.
    """
    n, _, height, width = pixels.shape
    max_side = min(MAX_BLOB, height // 4, width // 4)
    count = 0
    for mask in ((pixels <= SATURATED) | (pixels >= 255 - SATURATED)).all(1).cpu().numpy():
        labels, _ = ndimage.label(mask)
        for index, box in enumerate(ndimage.find_objects(labels), 1):
            sides = [side.stop - side.start for side in box]
            if min(sides) >= MIN_BLOB and max(sides) <= max_side:
                count += bool((labels[box] == index).mean() >= MIN_FILL)
    return 1e6 * count / (n * height * width)


def border(pixels: Tensor) -> float:
    """Measure how far the outer FRAME px differ from the next INSIDE px.

        (|mean_outer - mean_inner| + |std_outer - std_inner|) / (1 + std_inner), the mean over channels

    Args:
        pixels: RGB [N, 3, H, W], 0..255, H and W >= 32.

    Returns:
        0 without a frame; no upper bound.
    """
    height, width = pixels.shape[2:]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    depth = torch.minimum(torch.minimum(rows, height - 1 - rows), torch.minimum(columns, width - 1 - columns))
    frame = pixels[..., depth < FRAME]
    inside = pixels[..., (depth >= FRAME) & (depth < FRAME + INSIDE)]
    inside_std = inside.std(-1)
    difference = (frame.mean(-1) - inside.mean(-1)).abs() + (frame.std(-1) - inside_std).abs()
    return (difference / (1 + inside_std)).mean().item()
