"""How steady a network is from frame to frame: a loss to train by, and the flicker on synthetic clips."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.models.networks import MULTIPLE

NOISE = 4.0  # levels of 255, standard deviation: a phone's camera indoors
FRAMES = 5
PAN = (1, 2)  # px down and right from one frame of a pan to the next: no multiple of a network's grid
BORDER = 8  # px; what lies nearer to the border of a frame is left out, since another surrounding may change it

Network = Callable[[Tensor], Tensor]


class StabilityLoss(nn.Module):
    """What changes in a network's pictures when its photos move by some pixels and get other noise.

    The mean square, in squared levels. Each call draws its shift, up to `reach` px, and its noise anew from `random`.
    """

    def __init__(self, reach: int = 2 * MULTIPLE) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, network: Network, photos: Tensor, stylized: Tensor, random: torch.Generator) -> Tensor:
        """The loss of pictures `stylized` [N, 3, H, W] that `network` made of `photos` [N, 3, H, W], 0..255.

        H and W above `reach` + 2 BORDER. `random` is of the CPU, so that nobody waits for a GPU to tell the shift.
        """
        down, right = torch.randint(0, self.reach + 1, (2,), generator=random).tolist()
        moved = F.pad(photos[..., down:, right:], (0, right, 0, down), mode="replicate")
        noise = torch.randn(photos.shape, generator=_near(photos.device, random), device=photos.device)
        again = network((moved + NOISE * noise).to(memory_format=torch.channels_last))
        height, width = photos.shape[2] - down, photos.shape[3] - right
        return (_inner(stylized[..., down:, right:]) - _inner(again[..., :height, :width])).square().mean()


def draw(seed: int, step: int) -> torch.Generator:
    """What a step of a run draws its shift and noise from, on the CPU: the same again where the run is resumed."""
    # torch's own seeds are 32 bits long where they are the CPU's: more would be cut off unseen.
    mixed = np.random.SeedSequence((seed, 2, step)).generate_state(1)[0]
    return torch.Generator().manual_seed(int(mixed))


def _near(device: torch.device, random: torch.Generator) -> torch.Generator:
    """`random` itself, or, where the device is a GPU, one of its own that `random` seeds."""
    if device.type != "cuda":
        return random
    return torch.Generator(device).manual_seed(int(torch.randint(2**63 - 1, (), generator=random)))


@torch.no_grad()
def flicker(network: Network, photo: Tensor, seed: int = 0) -> dict[str, float]:
    """How a network flickers on a photo [1, 3, H, W], whole numbers 0..255, H and W >= 32: `pan`, `noise`, `both`.

    The root mean square, in levels, of what changes from one stylized frame to the next at the same point of the
    scene: over a pan by PAN px a frame, and over a still scene with new noise of NOISE levels in each frame. `both` is
    the root of the mean of their squares. A network that copied the photo would have 0 and about NOISE * sqrt(2).
    """
    pan = _change(network, _pan(photo), PAN)
    noise = _change(network, _still(photo, seed), (0, 0))
    return {"pan": pan**0.5, "noise": noise**0.5, "both": ((pan + noise) / 2) ** 0.5}


def _pan(photo: Tensor) -> Iterator[Tensor]:
    most = max(PAN) * (FRAMES - 1)
    height, width = ((side - most) // MULTIPLE * MULTIPLE for side in photo.shape[2:])
    for frame in range(FRAMES):
        top, left = frame * PAN[0], frame * PAN[1]
        yield photo[..., top : top + height, left : left + width]


def _still(photo: Tensor, seed: int) -> Iterator[Tensor]:
    random = torch.Generator().manual_seed(seed)
    for _ in range(FRAMES):
        yield (photo + NOISE * torch.randn(photo.shape, generator=random)).round().clamp(0, 255)


def _change(network: Network, frames: Iterator[Tensor], step: tuple[int, int]) -> float:
    """The mean square difference of successive stylized frames, each of which shows the scene `step` px further on."""
    down, right = step
    squares, before = [], None
    for frame in frames:
        after = network(frame)
        if before is not None:
            height, width = after.shape[2] - down, after.shape[3] - right
            difference = _inner(before[..., down:, right:]) - _inner(after[..., :height, :width])
            squares.append(difference.square().mean().item())
        before = after
    return sum(squares) / len(squares)


def _inner(pixels: Tensor) -> Tensor:
    return pixels[..., BORDER:-BORDER, BORDER:-BORDER]
