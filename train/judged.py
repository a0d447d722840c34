"""What is judged: the network of a checkpoint or of an exported file, and the painting and loss it was trained with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.rules import check
from impasto.configs.schema import LossConfig, StyleConfig
from impasto.models import checkpoint, exported
from impasto.models.checkpoint import Card
from impasto.models.pictures import Picture
from impasto.train import style
from impasto.train.style import Style

_Config = TypeVar("_Config", LossConfig, StyleConfig)


@dataclass(frozen=True)
class Judged:
    """A network: `run` maps pixels [1, 3, H, W], whole numbers 0..255, to pixels; `output` says if it rounds them.

    `style` names no picture, but has the `sha256` of one; `loss.weights` says where they came from, not where they are.
    Of an exported file, `card` holds style and loss alone.
    """

    run: Callable[[Tensor], Tensor]
    output: str
    card: Card
    style: StyleConfig
    sha256: str
    loss: LossConfig

    def painting(self, image: str | None) -> Style:
        """The painting that the network was trained on, from the file `image` if given; RequestError for another."""
        name, painter = self.style.name, self.style.painter
        if image is None and painter is None:
            raise RequestError(f"style is missing: name the picture of {name} that the network was trained on")
        painting = style.load(self.style if image is None else replace(self.style, image=image, painter=None))
        if painting.sha256 != self.sha256:
            raise RequestError(
                f"style={image or painter} is not the picture of {name} that the network was trained on "
                "(its SHA-256 differs); the losses could not be compared"
            )
        return painting

    def loss_with(self, weights: str) -> LossConfig:
        """The loss, with VGG's weights from `weights` as in loss.weights; RequestError where others were used."""
        if (self.loss.weights == "random") != (weights == "random"):
            raise RequestError(f"weights={weights} are not the VGG weights that the network was trained with")
        return replace(self.loss, weights=weights)


def load(path: Path) -> Judged:
    """Load a checkpoint, an exported file or the one in a bundle's folder, on the CPU; raises RequestError."""
    if path.is_dir() or path.suffix in exported.SUFFIXES:
        run, card = _exported(path)
        output = "uint8, rounded"
    else:
        run, card = checkpoint.load(path)
        output = "float32, not rounded"
    try:
        sha256 = str(card["style"]["sha256"])
        painting = _typed(StyleConfig, card["style"] | {"image": None})
        # The card's weights are the raw ones: what they were a strength of was measured at the start of the training.
        loss = _typed(LossConfig, card["loss"] | {"strength": None})
    except (KeyError, TypeError, RequestError) as error:
        raise RequestError(
            f"{path} does not say what painting and loss its network was trained with; name a checkpoint that "
            "impasto-train wrote, or what this version of impasto-export made of one"
        ) from error
    return Judged(run, output, card, painting, sha256, loss)


def _exported(path: Path) -> tuple[Callable[[Tensor], Tensor], Card]:
    session = exported.load(path)

    def run(pixels: Tensor) -> Tensor:
        rgb = pixels[0].permute(1, 2, 0).to(torch.uint8).numpy()
        return torch.from_numpy(exported.stylize(session, Picture(rgb)).rgb).permute(2, 0, 1)[None].float()

    return run, exported.card(session)


def _typed(kind: type[_Config], values: Mapping[str, Any]) -> _Config:
    """Settings of a card, without what is no setting; RequestError for an impossible one."""
    known = {item.name for item in fields(kind)}
    config = kind(**{name: value for name, value in values.items() if name in known})
    check(config)
    return config
