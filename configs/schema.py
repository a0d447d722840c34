"""The types of every setting, and which values are possible. The defaults are in the YAML files beside it."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from impasto.configs.rules import choice, number, path, text
from impasto.configs.shipping import BenchConfig, ExportConfig, PreviewConfig, StylizeConfig, VerifyConfig


def _layers(*convs_per_block: int) -> tuple[str, ...]:
    return tuple(
        name
        for block, convs in enumerate(convs_per_block, 1)
        for name in [
            *(f"{kind}{block}_{conv}" for conv in range(1, convs + 1) for kind in ("conv", "relu")),
            f"pool{block}",
        ]
    )


# Configurations D and E: Simonyan & Zisserman 2015, table 1
VGG16_LAYERS = _layers(2, 2, 3, 3, 3)
VGG19_LAYERS = _layers(2, 2, 4, 4, 4)  # every layer of VGG-16, and three more
NETWORKS = {"vgg16": VGG16_LAYERS, "vgg19": VGG19_LAYERS}
MODELS = ("johnson", "mobile", "tiny")
EXOTIC = ("cmyk", "16-bit", "alpha", "palette", "animated")
KINDS = ("unreadable", "flat", "tiny", "duplicate", "grey", *EXOTIC, "huge")  # of odd photos in a dataset
MIN_SIDE = 32  # px: VGG halves a picture five times


@dataclass
class ModelConfig:
    """A transformer network and its arguments."""

    name: str = choice(*MODELS)
    width: float = number(0.05, 8)
    blocks: int = number(1, 64)


@dataclass
class StyleConfig:
    """A painting: a picture file, or a painter of our own."""

    name: str = text()
    image: str | None = path("FILE")
    painter: str | None = choice("swirls", "facets")
    size: int = number(32, 4096)
    seed: int = number(0)
    artist: str = text()
    licence: str = text()


@dataclass
class DataConfig:
    """The photos to learn on."""

    root: str = path("DIR")
    val_root: str | None = path("DIR")
    skip: str | None = path("FILE")
    val_photos: int = number(1, 10_000)
    val_size: int = number(32, 2048, step=4)
    size: int = number(32, 2048, step=4)
    zoom: list[float] = number(1, 8)
    flip: bool = text()
    workers: int = number(0, 256)
    cache: str | None = path("DIR")
    cache_gb: float = number(0.01)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        if len(self.zoom) != 2 or self.zoom[0] > self.zoom[1]:
            return f"data.zoom={self.zoom} is impossible; give the least and the most, as in [1.0,1.5]"
        return None


@dataclass
class LossConfig:
    """The perceptual loss; `weights` is auto, random, or a file of the network's weights."""

    network: str = choice(*NETWORKS)
    weights: str = path("FILE", "auto", "random")
    pooling: str = choice("max", "average")
    content_layer: str = choice(*VGG19_LAYERS)
    content_weight: float = number(0)
    style_layers: list[str] = choice(*VGG19_LAYERS)
    style_layer_weights: list[float] | None = number(0)
    style_weight: float = number(0)
    strength: float | None = number(0)
    gram: str = choice("chw", "gatys", "keras")
    tv_weight: float = number(0)
    tv_power: float = choice(2, 1.25)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        layers, weights = self.style_layers, self.style_layer_weights
        if not layers or len(set(layers)) < len(layers):
            return f"loss.style_layers={layers} is impossible; name at least one layer, and each once"
        if weights is not None and len(weights) != len(layers):
            return f"loss.style_layer_weights={weights} is impossible; give {len(layers)}, one for each style layer"
        for layer in (self.content_layer, *layers):
            if layer not in NETWORKS[self.network]:
                return f"{self.network} has no layer {layer}; choose another, or loss.network=vgg19"
        if self.strength is not None and not self.content_weight:
            return "loss.strength weighs style against content, but loss.content_weight=0; give loss.style_weight"
        if not (self.content_weight or self.style_weight or self.tv_weight):
            return "loss.content_weight, style_weight and tv_weight are all 0; give one of them a weight"
        return None


@dataclass
class GuardConfig:
    """When a run goes back to its last good state, and what it does there."""

    explosion: float | None = number(1)
    flat: float = number(0, 255)
    saturated: float = number(0, 1)
    lr_factor: float = number(1e-6, 1)
    rollbacks: int = number(0, 100)


@dataclass
class TrainerConfig:
    """How long and how to optimise. A budget is a number of steps, of minutes, or whichever ends first."""

    steps: int | None = number(1)
    minutes: float | None = number(0.01)
    batch: int = number(1, 1024)
    lr: float = number(1e-8, 1)
    warmup_steps: int = number(0)
    average: float = number(0, 0.99999)
    lattice_weight: float = number(0)
    stability_weight: float = number(0)
    compile: str = choice("auto", "always", "never")
    log_every: int = number(1)
    validate_every: int = number(1)
    sample_every: int = number(1)
    checkpoint_every: int = number(1)
    guard: GuardConfig = MISSING

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        if self.steps is None and self.minutes is None:
            return "the run has no end; give trainer.steps=N or trainer.minutes=M"
        return None


@dataclass
class TrainConfig:
    """impasto-train: train a network on one painting."""

    model: ModelConfig = MISSING
    style: StyleConfig = MISSING
    data: DataConfig = MISSING
    loss: LossConfig = MISSING
    trainer: TrainerConfig = MISSING
    precision: str = choice("auto", "fp32", "bf16")
    device: str = choice("auto", "cpu", "cuda")
    seed: int = number(0, 2**32 - 1)
    init: str | None = path("FILE", "auto", "zoo/*")
    resume: str | None = path("DIR")


@dataclass
class OptimizerConfig:
    """How the per-image optimizer steps, and when it stops by itself."""

    name: str = choice("lbfgs", "scipy", "adam")
    lr: float = number(1e-8, 1000)
    first_step: float | None = number(1e-6, 255)
    history: int = number(1, 1000)
    restart: int | None = number(1)
    tolerance: float = number(0, 1)
    window: int = number(1)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        if self.first_step is not None and self.name != "lbfgs":
            return f"optimizer.first_step={self.first_step:g} is of lbfgs; with {self.name} it must be null"
        return None


@dataclass
class OptimizeConfig:
    """impasto-optimize: stylize one photo by optimising its pixels, slowly, as Gatys et al. did."""

    content: str = path("FILE")
    style: StyleConfig = MISSING
    styles: list[str] = path("FILE")
    blend: list[float] | None = number(0)
    masks: list[str] = path("FILE")
    keep_colors: bool = text()
    loss: LossConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    iterations: int = number(1)
    init: str = path("FILE", "content", "noise", "style")
    size: int = number(32, 4096)
    square: bool = text()
    scales: Any = number(1, 4096)
    tile: int = number(256, 4096, step=32)
    output: str | None = path("FILE")
    every: int | None = number(1)
    quality: int = number(1, 100)
    precision: str = choice("auto", "fp32", "bf16")
    device: str = choice("auto", "cpu", "cuda")
    seed: int = number(0, 2**32 - 1)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        paintings = 1 + len(self.styles)
        if self.blend is not None and (len(self.blend) != paintings or not sum(self.blend)):
            return f"blend={self.blend} is impossible; give {paintings}, one for style and each of styles, not all 0"
        if self.masks and len(self.masks) != paintings:
            return f"masks={self.masks} is impossible; give {paintings}, one for style and each of styles"
        sizes = self.sizes()
        if sizes != sorted({*sizes}) or sizes[0] < MIN_SIDE:
            return (
                f"scales={self.scales} is impossible; give how many, each of half the size of the next and none below "
                f"{MIN_SIDE} px, or the coarser short sides in growing order, as in [128,256] for size=512"
            )
        return None

    def sizes(self) -> list[int]:
        """The short sides to work through, the coarsest first and `size` last."""
        if isinstance(self.scales, list):
            return [*self.scales, self.size]
        return [round(self.size / 2**step) for step in reversed(range(self.scales))]


@dataclass
class EvaluationConfig:
    """How to judge a network by the optimizer."""

    sizes: list[int] = number(32, 2048, step=4)
    starts: list[str] = choice("noise", "photo")
    iterations: int = number(2)
    count: int = number(1)
    min_worth: float | None = number(1)
    max_ratio: float | None = number(0)
    max_lattice: float | None = number(0)
    max_blobs: float | None = number(0)
    max_border: float | None = number(0)
    max_flicker: float | None = number(0)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        if not self.sizes or not self.starts:
            return "evaluate.sizes and evaluate.starts must each name at least one"
        return None


@dataclass
class EvaluateConfig:
    """impasto-evaluate: judge a network by how many iterations of the optimizer it is worth."""

    checkpoint: str = path("FILE|DIR", "zoo/*")
    photos: str = path("DIR")
    style: str | None = path("FILE")
    output: str = path("DIR")
    cache: str = path("DIR")
    weights: str = path("FILE", "auto", "random")
    seed: int = number(0, 2**32 - 1)
    evaluate: EvaluationConfig = MISSING


@dataclass
class ExplorationConfig:
    """Which layers to rebuild pictures from, and which channels of which layers to show."""

    content_layers: list[str] = choice(*VGG19_LAYERS)
    content_tv_weight: float = number(0)
    style_layers: list[str] = choice(*VGG19_LAYERS)
    style_tv_weight: float = number(0)
    channel_layers: list[str] = choice(*VGG19_LAYERS)
    channels: int = number(1, 64)


@dataclass
class ExploreConfig:
    """impasto-explore: show what each layer of the loss network keeps of a photo and of a painting."""

    content: str = path("FILE")
    style: StyleConfig = MISSING
    loss: LossConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    explore: ExplorationConfig = MISSING
    iterations: int = number(1)
    size: int = number(32, 1024)
    output: str = path("DIR")
    precision: str = choice("auto", "fp32", "bf16")
    device: str = choice("auto", "cpu", "cuda")
    seed: int = number(0, 2**32 - 1)

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        explore, network = self.explore, self.loss.network
        for key in ("content_layers", "style_layers", "channel_layers"):
            layers = getattr(explore, key)
            if len(set(layers)) < len(layers):
                return f"explore.{key}={layers} is impossible; name each layer once"
            for layer in layers:
                if layer not in NETWORKS[network]:
                    return f"explore.{key}: {network} has no layer {layer}; choose another, or loss.network=vgg19"
        if not (explore.content_layers or explore.style_layers or explore.channel_layers):
            return "explore.content_layers, style_layers and channel_layers are all empty; name a layer in one of them"
        return None


@dataclass
class ExaminationConfig:
    """What counts as odd in a dataset, and what of it is left out of training."""

    skip: list[str] = choice(*KINDS)
    tiny: int | None = number(1)
    flat: float = number(0, 255)
    grey: float = number(0, 255)
    huge: float = number(0.1)


@dataclass
class CheckConfig:
    """impasto-check: look at every photo of a dataset, and list those that training should leave out."""

    data: DataConfig = MISSING
    output: str = path("DIR")
    processes: int = number(0, 1024)
    check: ExaminationConfig = MISSING


@dataclass
class SweepConfig:
    """impasto-sweep: show what came of a sweep of impasto-train, all jobs in one table and one picture."""

    sweep: str = path("DIR")


VERBS: dict[str, type] = {
    "train": TrainConfig,
    "sweep": SweepConfig,
    "check": CheckConfig,
    "optimize": OptimizeConfig,
    "evaluate": EvaluateConfig,
    "explore": ExploreConfig,
    "export": ExportConfig,
    "bench": BenchConfig,
    "verify": VerifyConfig,
    "stylize": StylizeConfig,
    "preview": PreviewConfig,
}
