"""The settings of impasto-explore."""

from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.hardware import DEVICE, PRECISION, SEED
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.optimize import OptimizerConfig
from impasto.configs.schema.style import StyleConfig
from impasto.configs.schema.vgg_layers import NETWORKS, VGG19_LAYERS


@dataclass(config=CONFIG)
class ExplorationConfig:
    """Which layers to reconstruct images from, and which layers' channels to show."""

    content_layers: Annotated[list[str], Key("Layers to reconstruct the photo from, each alone.", choices=VGG19_LAYERS)]
    content_tv_weight: Annotated[
        float,
        Key(
            "Weight of the squared difference of neighboring pixels in reconstructions of the photo, relative to a "
            "loss of 1 for all-zero features and multiplied by the stride of the deepest layer; more blurs.",
            0,
        ),
    ]
    style_layers: Annotated[
        list[str],
        Key("Layers to reconstruct the painting from: the first, the first two, and so on.", choices=VGG19_LAYERS),
    ]
    style_tv_weight: Annotated[float, Key("The same weight for reconstructions of the painting.", 0)]
    channel_layers: Annotated[list[str], Key("Layers whose channels are shown.", choices=VGG19_LAYERS)]
    channels: Annotated[int, Key("Channels per layer: those with the strongest responses.", 1, 64)]


@dataclass(config=CONFIG)
class ExploreConfig:
    """Show what each layer of the loss network preserves of a photo and of a painting."""

    examples: ClassVar = (
        "impasto-explore content=photo.jpg style=painting.jpg",
        "impasto-explore content=photo.jpg style=painting.jpg explore.content_layers=[] explore.style_layers=[]",
    )

    content: Annotated[str, Key("The photo.", path="FILE")]
    style: StyleConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    explore: ExplorationConfig
    iterations: Annotated[int, Key("Maximum loss evaluations per reconstruction.", 1)] = 120
    size: Annotated[int, Key("Short side of the photo, in pixels.", 32, 1024)] = 256
    output: Annotated[str, Key("Directory for exploration.json and the sheets.", path="DIR")] = "outputs/exploration"
    precision: Annotated[str, PRECISION] = "fp32"
    device: Annotated[str, DEVICE] = "auto"
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        explore, network = self.explore, self.loss.network
        for key in ("content_layers", "style_layers", "channel_layers"):
            layers = getattr(explore, key)
            if len(set(layers)) < len(layers):
                raise UsageError(f"explore.{key}={shown(layers)} names a layer twice; name each layer once")
            for layer in layers:
                if layer not in NETWORKS[network]:
                    raise UsageError(
                        f"explore.{key}: {network} has no layer {layer}; choose another, or loss.network=vgg19"
                    )
        if not (explore.content_layers or explore.style_layers or explore.channel_layers):
            raise UsageError(
                "explore.content_layers, style_layers and channel_layers are all empty; name a layer in one of them"
            )
