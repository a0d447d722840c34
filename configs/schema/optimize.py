"""The settings of impasto-optimize."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.hardware import DEVICE, PRECISION, SEED
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.style import StyleConfig

MIN_SIDE = 32  # px: VGG halves an image five times


@dataclass(config=CONFIG)
class OptimizerConfig:
    """How the per-image optimizer steps, and when it stops by itself."""

    name: Annotated[str, Key("Algorithm.", choices=("lbfgs", "scipy", "adam"))]
    lr: Annotated[float, Key("Step size of lbfgs and adam; scipy searches along a line.", 1e-8, 1000)]
    tolerance: Annotated[
        float,
        Key("Stop when `patience` iterations lower the loss by less than this fraction; 0 never stops.", 0, 1),
    ]
    first_step: Annotated[
        float | None,
        Key(
            "Mean change of a pixel in the first step of lbfgs, in levels of 255; null uses PyTorch's own, whose sum "
            "over the image is 1.",
            1e-6,
            255,
        ),
    ] = None
    history: Annotated[int, Key("Vector pairs that L-BFGS stores; fewer if they exceed 2 GB.", 1, 1000)] = 50
    restart: Annotated[int | None, Key("Evaluations after which L-BFGS restarts.", 1)] = None
    patience: Annotated[int, Key("Iterations of the stopping rule.", 1)] = 50

    def __post_init__(self) -> None:
        if self.first_step is not None and self.name != "lbfgs":
            raise UsageError(
                f"optimizer.first_step={self.first_step:g} applies to lbfgs only; with {self.name} it must be null"
            )


@dataclass(config=CONFIG)
class OptimizeConfig:
    """Stylize one photo by optimizing its pixels, as Gatys et al. did."""

    examples: ClassVar = (
        "impasto-optimize content=photo.jpg style=painting.jpg size=512 style.size=512 scales=2 output=stylized.png",
        "impasto-optimize content=photo.jpg style=painting.jpg loss=gatys2016 init=noise iterations=300 save_every=50",
    )

    content: Annotated[str, Key("The photo.", path="FILE")]
    style: StyleConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    styles: Annotated[list[str], Key("More paintings, as [FILE,FILE].", path="FILE")] = field(default_factory=list)
    blend: Annotated[list[float] | None, Key("Weight of style and of each of styles; null weighs them equally.", 0)] = (
        None
    )
    masks: Annotated[
        list[str], Key("Gray images, one per painting: white where the photo takes its style.", path="FILE")
    ] = field(default_factory=list)
    keep_colors: Annotated[bool, Key("Keep the photo's colors and take only the result's luminance.")] = False
    iterations: Annotated[  # jcjohnson/fast-neural-style slow_neural_style.lua
        int, Key("Loss evaluations per scale.", 1)
    ] = 500
    init: Annotated[
        str, Key("What to start from: content, noise, style, or an image.", path="FILE|content|noise|style")
    ] = "content"
    size: Annotated[int, Key("Short side of the photo, in pixels; style.size is the painting's.", 32, 4096)] = 256
    square: Annotated[bool, Key("Make the photo, the painting and the result squares of `size`.")] = False
    scales: Annotated[
        int | list[int],
        Key("Number of scales, each half of the next; or the coarser short sides, as [128,256].", 1, 4096),
    ] = 1
    tile: Annotated[
        int,
        Key("Larger images pass VGG in tiles of this side, in pixels, with the same gradient.", 256, 4096, step=32),
    ] = 1024
    output: Annotated[
        str | None,
        Key("The result; null writes <photo>-<style>.png here, with a number if it exists.", path="FILE"),
    ] = None
    save_every: Annotated[int | None, Key("Also write the image every this many iterations.", 1)] = None
    quality: Annotated[int, Key("Quality of JPEG and WebP.", 1, 100)] = 95
    precision: Annotated[str, PRECISION] = "auto"
    device: Annotated[str, DEVICE] = "auto"
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        count = 1 + len(self.styles)
        if self.blend is not None and (len(self.blend) != count or not sum(self.blend)):
            raise UsageError(
                f"blend={shown(self.blend)} is invalid; give {count}, one for style and each of styles, not all 0"
            )
        if self.masks and len(self.masks) != count:
            raise UsageError(f"masks={shown(self.masks)} is invalid; give {count}, one for style and each of styles")
        sizes = self.sizes()
        if sizes != sorted({*sizes}) or sizes[0] < MIN_SIDE:
            raise UsageError(
                f"scales={shown(self.scales)} is invalid; give how many, each half of the next and none below "
                f"{MIN_SIDE} px, or the coarser short sides in ascending order, as in [128,256] for size=512"
            )

    def sizes(self) -> list[int]:
        """The short sides to work through, the coarsest first and `size` last."""
        if isinstance(self.scales, list):
            return [*self.scales, self.size]
        return [round(self.size / 2**step) for step in reversed(range(self.scales))]
