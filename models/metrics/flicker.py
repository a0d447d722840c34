"""Flicker of a network that stylizes each frame by itself, measured on synthetic clips."""

from collections.abc import Iterator

import torch
from torch import Tensor

from impasto.configs.schema.model import MAX_STRIDE
from impasto.models.losses.temporal import NOISE, Network, crop_border

FRAMES = 5
PAN = (1, 2)  # px down and right per frame; not a multiple of a network's grid


@torch.no_grad()
def flicker(network: Network, photo: Tensor, seed: int = 0) -> dict[str, float]:
    """Measure the flicker of a network on a photo.

    The score is the root mean square change, in levels of 255, between successive stylized frames at the same point of
    the scene. `pan` is measured on a pan by PAN px a frame, and `noise` on a still scene with new Gaussian noise of
    NOISE levels in each frame. A network that copies the photo has 0 and about NOISE * sqrt(2).

    Args:
        network: Maps pixels [1, 3, H, W], 0..255, to the same.
        photo: Integer levels [1, 3, H, W], 0..255, H and W >= 32.
        seed: Seed of the noise.

    Returns:
        `pan`, `noise` and `both`, which is the root of the mean of their squares.
    """
    pan = _mean_change(network, _pan(photo), PAN)
    noise = _mean_change(network, _still(photo, seed), (0, 0))
    return {"pan": pan**0.5, "noise": noise**0.5, "both": ((pan + noise) / 2) ** 0.5}


def _pan(photo: Tensor) -> Iterator[Tensor]:
    distance = max(PAN) * (FRAMES - 1)
    height, width = ((side - distance) // MAX_STRIDE * MAX_STRIDE for side in photo.shape[2:])
    for frame in range(FRAMES):
        top, left = frame * PAN[0], frame * PAN[1]
        yield photo[..., top : top + height, left : left + width]


def _still(photo: Tensor, seed: int) -> Iterator[Tensor]:
    random = torch.Generator().manual_seed(seed)
    for _ in range(FRAMES):
        yield (photo + NOISE * torch.randn(photo.shape, generator=random)).round().clamp(0, 255)


def _mean_change(network: Network, frames: Iterator[Tensor], step: tuple[int, int]) -> float:
    """Return the mean square difference of successive stylized frames of a scene that moves `step` px a frame."""
    down, right = step
    squares, previous = [], None
    for frame in frames:
        current = network(frame)
        if previous is not None:
            height, width = current.shape[2] - down, current.shape[3] - right
            difference = crop_border(previous[..., down:, right:]) - crop_border(current[..., :height, :width])
            squares.append(difference.square().mean().item())
        previous = current
    return sum(squares) / len(squares)
