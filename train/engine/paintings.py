"""The paintings that a run learns, each with its perceptual loss, and which of them a step learns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.style import StyleConfig
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg.constants import Weights
from impasto.train.data import style_image

BY_PAINTING = ("total", "content", "style")  # the losses that a run of several paintings logs for each


@dataclass(frozen=True)
class Painting:
    """A painting that a run learns.

    Attributes:
        config: Its settings.
        sha256: The hash of its file.
        pixels: Its pixels, RGB [1, 3, H, W], 0..255.
        loss: The perceptual loss with this painting as the style image.
    """

    config: StyleConfig
    sha256: str
    pixels: Tensor
    loss: PerceptualLoss

    @property
    def name(self) -> str:
        """The name of the style."""
        return self.config.name


def load(styles: Sequence[StyleConfig], config: LossConfig, weights: Weights) -> list[Painting]:
    """Read the paintings, and compute their style targets; their losses share one VGG. Raises UsageError."""
    paintings: list[Painting] = []
    for style in styles:
        image = style_image.load(style)
        loss = PerceptualLoss(config, weights, image.pixels)
        if paintings:
            loss.vgg = paintings[0].loss.vgg
        paintings.append(Painting(style, image.sha256, image.pixels, loss))
    return paintings


def of_step(seed: int, step: int, count: int) -> int:
    """Return the number of the painting that a step learns, 0..count - 1.

    It is a function of seed and step, so that all processes agree and a resumed run continues. Each painting has its
    turn once in `count` steps, in an order that changes.
    """
    if count == 1:
        return 0
    turn, position = divmod(step, count)
    return int(np.random.default_rng((seed, turn)).permutation(count)[position])


def by_painting(losses: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, float]:
    """Return the losses of each painting as `total/NAME`; none for a run of one painting."""
    if len(names) == 1:
        return {}
    return {f"{key}/{name}": each[key] for key in BY_PAINTING for name, each in zip(names, losses, strict=True) if each}
