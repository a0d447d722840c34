"""The settings of impasto-evaluate."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key


@dataclass(config=CONFIG)
class EvaluationConfig:
    """How to compare a network with the optimizer, and the thresholds that it must meet."""

    sizes: Annotated[list[int], Key("Sides of the center crop of each photo, in pixels.", 32, 2048, step=4)] = field(
        default_factory=lambda: [256, 512]
    )
    starts: Annotated[list[str], Key("What the optimizer starts from.", choices=("noise", "photo"))] = field(
        default_factory=lambda: ["noise", "photo"]
    )
    iterations: Annotated[int, Key("Iterations of the optimizer, projected L-BFGS.", 2)] = 120
    count: Annotated[int, Key("Maximum number of photos.", 1)] = 8
    display: Annotated[
        int | None,
        Key("Short side, in pixels, at which pictures are looked at; null skips the evaluation at display size.", 256),
    ] = 1080
    display_count: Annotated[int, Key("Maximum number of photos at display size.", 1)] = 12
    display_iterations: Annotated[
        int,
        Key("L-BFGS iterations of the picture by the optimizer on the display sheet; 0 omits it. 20 take minutes.", 0),
    ] = 0
    max_octave: Annotated[
        float | None,
        Key(
            "Fail if a distance to the painting at an octave of the display exceeds this part of the photo's own "
            "(start around 0.6).",
            0,
        ),
    ] = None
    min_edges: Annotated[
        float | None, Key("Fail if the edges at display size correlate less with the photo's.", 0, 1)
    ] = None
    min_faces: Annotated[float | None, Key("Fail if the edges within faces correlate less with the photo's.", 0, 1)] = (
        None
    )
    max_pattern: Annotated[
        float | None,
        Key("Fail if a periodic pattern has more than this part of its octave's variance (start around 0.25).", 0, 1),
    ] = None
    max_flat_texture: Annotated[
        float | None,
        Key(
            "Fail if, where photos are flat, the texture exceeds this multiple of that in the painting's flat places "
            "(start around 1.5).",
            0,
        ),
    ] = None
    max_weave: Annotated[
        float | None,
        Key("Fail if the weave, threads across and along the picture, exceeds this (start around 0.08).", 0),
    ] = None
    min_equivalent_iterations: Annotated[
        float | None, Key("Fail if the network equals fewer L-BFGS iterations from noise.", 1)
    ] = None
    max_ratio: Annotated[
        float | None, Key("Fail if the network's loss is more than this multiple of the optimizer's best.", 0)
    ] = None
    max_checkerboard: Annotated[
        float | None,
        Key(
            "Fail if the stylized images' checkerboard measure exceeds the photos' by more (1 is no checkerboard; "
            "start around 1.5).",
            0,
        ),
    ] = None
    max_blobs: Annotated[
        float | None,
        Key("Fail if stylized images have more saturated blobs per megapixel than photos (start around 10).", 0),
    ] = None
    max_border: Annotated[
        float | None,
        Key(
            "Fail if the outer 4 px differ from the next 12 by more than in photos, in standard deviations (start "
            "around 0.2).",
            0,
        ),
    ] = None
    max_flicker: Annotated[
        float | None,
        Key("Fail if more levels of 255 change between frames of a pan or of a noisy still image.", 0),
    ] = None

    def __post_init__(self) -> None:
        if not self.sizes or not self.starts:
            raise UsageError("evaluate.sizes and evaluate.starts must each name at least one")
        if self.min_equivalent_iterations is not None and self.min_equivalent_iterations > self.iterations:
            raise UsageError(
                f"evaluate.min_equivalent_iterations={self.min_equivalent_iterations:g} is more than "
                f"evaluate.iterations={self.iterations}, so no network can meet it; raise evaluate.iterations"
            )
        limits = (self.max_octave, self.min_edges, self.min_faces, self.max_pattern)
        textures = (self.max_flat_texture, self.max_weave)
        if self.display is None and any(limit is not None for limit in (*limits, *textures)):
            raise UsageError(
                "the limits on octaves, edges, faces, patterns and textures need evaluate.display; give it a size"
            )


@dataclass(config=CONFIG)
class EvaluateConfig:
    """Compare a network with the optimizer: how many L-BFGS iterations is one forward pass equivalent to?"""

    examples: ClassVar = (
        "impasto-evaluate checkpoint=run/step_00010000.safetensors photos=val style=painting.jpg",
        "impasto-evaluate checkpoint=bundles/swirls photos=val evaluate.sizes=[256] "
        "evaluate.min_equivalent_iterations=40",
    )

    checkpoint: Annotated[
        str, Key("Checkpoint, exported .onnx file, run or bundle directory, or zoo/PAINTING.", path="PATH|zoo/*")
    ]
    photos: Annotated[str, Key("Directory or zip of photos that were not trained on.", path="DIR")]
    style: Annotated[
        str | None, Key("Image file of the painting; null if impasto generates the network's style.", path="FILE")
    ] = None
    output: Annotated[str, Key("Directory for evaluation.json, curves and sheets.", path="DIR")] = "outputs/evaluation"
    cache: Annotated[
        str, Key("Directory of the optimizer's trajectories, by the hash of photo, painting and loss.", path="DIR")
    ] = "outputs/trajectories"
    weights: Annotated[str, Key("VGG weights, as in loss.weights.", path="FILE|auto|random")] = "auto"
    seed: Annotated[int, Key("Seed of the noise.", 0, 2**32 - 1)] = 0
    evaluate: EvaluationConfig = field(default_factory=EvaluationConfig)
