"""The temporal loss: a network's output should be stable when its input shifts or its noise changes."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

NOISE = 4.0  # standard deviation in levels of 255: a phone's camera indoors
BORDER = 8  # px at each side of a frame that are ignored, since padding may change them

Network = Callable[[Tensor], Tensor]


class TemporalLoss(nn.Module):
    """Change of a network's output under a small shift and new noise.

    With T a shift by (down, right) px and n Gaussian noise,

        loss = mean((T(f(x)) - f(T(x) + sigma * n))^2),  sigma = NOISE

    over the pixels that both pictures show, without a border of BORDER px. It is the loss of stability training (Zheng
    et al. 2016, which perturbs the input with Gaussian noise) with a shift added. It needs no videos.

    Args:
        max_shift: The largest shift along each axis in px.
    """

    def __init__(self, max_shift: int = 8) -> None:
        super().__init__()
        self.max_shift = max_shift

    def forward(self, network: Network, photos: Tensor, stylized: Tensor, random: torch.Generator) -> Tensor:
        """Compute the loss with a random shift and random noise.

        Args:
            network: The network f.
            photos: Pixels x [N, 3, H, W], 0..255, H and W > `max_shift` + 2 BORDER.
            stylized: The network's output f(x) for the photos, [N, 3, H, W], 0..255.
            random: A generator on the CPU, so that no GPU has to be waited for to know the shift.

        Returns:
            A scalar in squared levels, >= 0.
        """
        down, right = torch.randint(0, self.max_shift + 1, (2,), generator=random).tolist()
        shifted = F.pad(photos[..., down:, right:], (0, right, 0, down), mode="replicate")
        noise = torch.randn(photos.shape, generator=_on_device(photos.device, random), device=photos.device)
        restylized = network((shifted + NOISE * noise).to(memory_format=torch.channels_last))
        height, width = photos.shape[2] - down, photos.shape[3] - right
        difference = crop_border(stylized[..., down:, right:]) - crop_border(restylized[..., :height, :width])
        return difference.square().mean()


def draw(seed: int, step: int) -> torch.Generator:
    """Create the random generator of a training step.

    It is a pure function of (seed, step), so that training can resume anywhere.

    Args:
        seed: The seed of the run, >= 0.
        step: The number of the step, >= 0.

    Returns:
        A generator on the CPU.
    """
    # torch truncates seeds of CPU generators to 32 bits without an error, so both numbers are hashed into one.
    mixed = np.random.SeedSequence((seed, 2, step)).generate_state(1)[0]
    return torch.Generator().manual_seed(int(mixed))


def _on_device(device: torch.device, random: torch.Generator) -> torch.Generator:
    """Return `random` itself or, for a GPU, a generator on that device seeded from `random`."""
    if device.type != "cuda":
        return random
    return torch.Generator(device).manual_seed(int(torch.randint(2**63 - 1, (), generator=random)))


def crop_border(pixels: Tensor) -> Tensor:
    """Cut the border that `TemporalLoss` ignores.

    Args:
        pixels: Pictures [..., H, W], H and W > 2 BORDER.

    Returns:
        A view [..., H - 2 BORDER, W - 2 BORDER].
    """
    return pixels[..., BORDER:-BORDER, BORDER:-BORDER]
