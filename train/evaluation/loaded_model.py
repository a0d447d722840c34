"""A network to evaluate, from a checkpoint or an exported file, with the style image and the loss of its training."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.style import StyleConfig
from impasto.models import checkpoint, onnx_model, provenance, transform_net
from impasto.models.card import Card, ExportedCard, LossCard
from impasto.models.image.picture import Picture
from impasto.models.transform_net import TransformNet
from impasto.train.data import style_image
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.data.style_image import StyleImage

_Config = TypeVar("_Config", LossConfig, StyleConfig)


@dataclass(frozen=True)
class StyleModel:
    """A network and what it was trained with.

    Attributes:
        run: Maps pixels [1, 3, H, W], whole numbers 0..255, to pixels.
        output_type: The type of its output, and whether the output is rounded.
        card: The card of the checkpoint; None for an exported file.
        loss_card: The loss in the card of the checkpoint or the exported file.
        style: The settings of the style image, without the path of its file.
        style_sha256: The hash of the style image.
        loss: The loss; `loss.weights` names the origin of VGG's weights, not a file.
    """

    run: Callable[[Tensor], Tensor]
    output_type: str
    card: Card | None
    loss_card: LossCard
    style: StyleConfig
    style_sha256: str
    loss: LossConfig

    def style_image(self, image: str | None, size: int | None = None, key: str = "style") -> StyleImage:
        """Return the style image that the network was trained on.

        Args:
            image: The file of the style image; None if it is procedural.
            size: Its short side in px; that of the training by default.
            key: The key that names the file, for the error.

        Raises:
            UsageError: The file is missing, or contains another picture.
        """
        name, painter = self.style.name, self.style.painter
        if image is None and painter is None:
            raise UsageError(f"style is missing; name the picture of {name} that the network was trained on")
        config = self.style if image is None else replace(self.style, image=image, painter=None)
        loaded = style_image.load(config)
        if loaded.sha256 != self.style_sha256:
            raise UsageError(
                f"{key}={image or painter} is not the picture of {name} that the network was trained on (its SHA-256 "
                "differs), so the losses would not be comparable; name the original file"
            )
        return loaded if size is None else style_image.load(replace(config, size=size))

    def loss_config(self, weights: str) -> LossConfig:
        """Return the loss with VGG's weights from `weights`, a value of loss.weights.

        Raises:
            UsageError: The network was trained with other weights.
        """
        if (self.loss.weights == "random") != (weights == "random"):
            trained = "random" if self.loss.weights == "random" else "auto"
            raise UsageError(
                f"weights={weights} are not the VGG weights that the network was trained with; use weights={trained}"
            )
        return replace(self.loss, weights=weights)


def load(path: Path, image: str | None = None) -> StyleModel:
    """Load a checkpoint, an exported file, or the exported file in a bundle's folder, on the CPU.

    Args:
        path: The file or folder.
        image: The file of the style image, which says which style of a store's checkpoint is meant.

    Raises:
        UsageError: The file cannot be loaded, or does not record the style image and the loss.
    """
    if path.is_dir() or path.suffix in onnx_model.SUFFIXES:
        run, exported, named = _load_exported(path)
        output_type, card = "uint8, rounded", None
    else:
        network, card = _load_checkpoint(path, image)
        run = partial(transform_net.stylize, network)
        output_type, exported = "float32, not rounded", ExportedCard.of(card)
        named = asdict(card.style) if card.style else {}
    try:
        if exported is None:
            raise UsageError("it has no card, or one without style or loss")
        style = _parse(StyleConfig, named | asdict(exported.style) | {"image": None})
        # The card has the raw weights; the style_strength that they came from was calibrated when training began.
        loss = _parse(LossConfig, asdict(exported.loss) | {"style_strength": None})
    except UsageError as error:
        raise UsageError(
            f"{path} does not record the style image and the loss of its training; name a checkpoint that "
            "impasto-train wrote, or a file that this version of impasto-export wrote"
        ) from error
    return StyleModel(run, output_type, card, exported.loss, style, exported.style.sha256, loss)


def _load_checkpoint(path: Path, image: str | None) -> tuple[TransformNet, Card]:
    """A network, or the style of a store that was trained on an image."""
    network, card = checkpoint.load_any(path)
    if card.store is None:
        return checkpoint.one_style(path, network, card, None)
    if image is None:
        raise UsageError(
            f"style is missing: {path} is a store; name the picture of one of {', '.join(card.store.names)}"
        )
    digest = provenance.sha256(Path(image))
    names = [style.name for style in card.store.styles if style.sha256 == digest]
    if not names:
        raise UsageError(f"style={image} is not a picture that {path} was trained on; name the original file")
    return checkpoint.one_style(path, network, card, names[0])


def _load_exported(path: Path) -> tuple[Callable[[Tensor], Tensor], ExportedCard | None, dict[str, Any]]:
    """What it computes, what it stores of the card, and further settings of the style."""
    session = onnx_model.load(path)
    if onnx_model.styles(session):
        raise UsageError(f"{path} is a store of styles; name its checkpoint, or a file that has one of them")

    def run(pixels: Tensor) -> Tensor:
        rgb = pixels[0].permute(1, 2, 0).to(torch.uint8).numpy()
        return picture_to_pixels(onnx_model.stylize(session, Picture(rgb)).rgb)

    # An exported file identifies the style image, but not its artist and license.
    named = {"artist": "unknown", "license": "unknown", "grain": onnx_model.grain(session)}
    return run, onnx_model.card(session), named | {"stroke_resolution": onnx_model.stroke_resolution(session)}


def _parse(kind: type[_Config], values: Mapping[str, Any]) -> _Config:
    """Build settings from a card's values, ignoring those that are not settings; UsageError for an invalid value."""
    known = {item.name for item in fields(kind)}
    return validate(kind, {name: value for name, value in values.items() if name in known})
