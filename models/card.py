"""The model card of a checkpoint: what the network is, what it was trained on, and how well it does.

Its JSON schema, models/schemas/card.schema.json, is generated from these classes: python -m impasto.models.card
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.models.typed_json import ForeignJson

if TYPE_CHECKING:
    from pydantic import ConfigDict

UNKNOWN = "unknown"  # an artist, a source or a license that nobody named
STYLES = "styles"  # of the exported file of a store: its second input, and the metadata key of its StyleLabels
STYLE_NAMES = "style_names"  # the metadata key of their names, one on each line, for callers without a JSON parser
SCHEMA = Path(__file__).parent / "schemas" / "card.schema.json"


class _CardJson(ForeignJson):
    """A card may come from a later version of impasto, so keys that are unknown here are ignored."""

    __pydantic_config__: ClassVar["ConfigDict"] = ForeignJson.__pydantic_config__ | {"extra": "ignore"}


@dataclass(frozen=True)
class ModelCard(_CardJson):
    """The architecture: a name and its arguments."""

    name: str
    width: float
    blocks: int
    eighth_blocks: int = 0
    passes: int = 1


@dataclass(frozen=True)
class StyleCard(_CardJson):
    """The style image. `sha256` is of its file, or of its pixels if `painter` is set; `size` is its short side.

    `stroke_resolution` is the short side of a photo, in px, at which the network's strokes are as large as the style
    image's; null for a network without one, which runs at the photo's own size. `grain` is the standard deviation, in
    levels, of the noise that a photo gets by default.
    """

    name: str
    artist: str
    license: str
    sha256: str
    size: int
    painter: str | None
    seed: int
    stroke_resolution: int | None = None
    grain: float = 0.0
    title: str = UNKNOWN
    source: str = UNKNOWN


@dataclass(frozen=True)
class StoreCard(_CardJson):
    """A store of styles: its name, and each style in the order of the rows of its norms."""

    name: str
    styles: list[StyleCard]

    @property
    def names(self) -> list[str]:
        """The names of the styles."""
        return [style.name for style in self.styles]


@dataclass(frozen=True)
class LossCard(_CardJson):
    """The training loss. `weights` is the origin of the VGG weights; `style_weight` the raw weight that was used."""

    network: str
    weights: str
    pooling: str
    content_layer: str
    content_weight: float
    style_layers: list[str]
    style_layer_weights: list[float] | None
    style_weight: float
    style_strength: float | None
    normalization: str
    tv_weight: float
    tv_power: float
    checkerboard_weight: float
    temporal_weight: float
    content_scale: int = 1
    style_scales: list[int] = field(default_factory=lambda: [1])
    style_scale_weights: list[float] | None = None
    window: int | None = None
    ema_decay: float = 0.0
    blotch_weight: float = 0.0
    drawing_weight: float = 0.0
    flatness_weight: float = 0.0
    frame_weight: float = 0.0
    mesh_weight: float = 0.0
    palette_weight: float = 0.0
    pattern_weight: float = 0.0
    weave_weight: float = 0.0


@dataclass(frozen=True)
class CropStage(_CardJson):
    """The training crops until the fraction `until` of the budget was spent.

    `size` is the side of a crop in px, and `scale_range` the range of a resized photo's short side as a multiple of it.
    """

    size: int
    scale_range: list[float]
    until: float = 1.0

    @property
    def short_sides(self) -> tuple[int, int]:
        """The least and the largest short side of a resized photo, in pixels."""
        low, high = (round(self.size * factor) for factor in self.scale_range)
        return low, high


@dataclass(frozen=True)
class DataCard(_CardJson):
    """The training photos. `photos` is their number; `sha256` is of their names and file sizes.

    `size` and `scale_range` are those of the last of the `stages`. `source` and `license` are what the user named.
    """

    photos: int
    sha256: str
    val_photos: int
    val_size: int
    size: int
    scale_range: list[float]
    flip: bool
    workers: int
    stages: list[CropStage] = field(default_factory=list)
    source: str = UNKNOWN
    license: str = UNKNOWN


@dataclass(frozen=True)
class DivergenceCard(_CardJson):
    """The limits beyond which training returned to an earlier state."""

    max_loss_ratio: float | None
    min_std: float
    max_saturated_fraction: float
    lr_factor: float
    max_rollbacks: int


@dataclass(frozen=True)
class OptimizerCard(_CardJson):
    """The optimizer of training and its settings."""

    lr: float
    betas: list[float]
    eps: float
    weight_decay: float
    name: str = "adam"
    frequency: int = 10


@dataclass(frozen=True)
class TrainingCard(_CardJson):
    """The training run: its length so far and its settings; a sentence on each of its `rollbacks`."""

    steps: int
    images: int
    seconds: float
    minutes: float | None
    precision: str
    seed: int
    batch_size: int
    optimizer: OptimizerCard
    warmup_steps: int
    ema_decay: float
    log_every: int
    validate_every: int | None
    sample_every: int
    checkpoint_every: int
    compile: str | None = None
    divergence: DivergenceCard | None = None
    rollbacks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OriginCard(_CardJson):
    """The checkpoint that training started from, and the license that its card names."""

    name: str
    sha256: str
    license: str = UNKNOWN


@dataclass(frozen=True)
class Card(_CardJson):
    """The model card of a checkpoint. It never contains a path of the training machine.

    `validation` has the mean losses on the validation photos by step; `versions` those of impasto, torch and Python;
    `init` is null for a network that was trained from scratch. A section is null if it is unknown. `license` is the
    license of the network's own weights. A network of one painting has a `style`, one of several a `store`; the losses
    on each of them are in `validation`, too, as in `total/NAME`.
    """

    model: ModelCard
    style: StyleCard | None = None
    loss: LossCard | None = None
    data: DataCard | None = None
    training: TrainingCard | None = None
    validation: list[dict[str, float]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    init: OriginCard | None = None
    license: str = UNKNOWN
    store: StoreCard | None = None

    def of_style(self, name: str) -> "Card":
        """The card of one style of a store, as that of a single network."""
        assert self.store is not None
        style = self.store.styles[self.store.names.index(name)]
        validation = []
        for losses in self.validation:
            own = {key.removesuffix(f"/{name}"): value for key, value in losses.items() if key.endswith(f"/{name}")}
            if own:
                validation.append({"step": losses["step"]} | own)
        return replace(self, store=None, style=style, validation=validation)

    def with_style_weight(self, style_weight: float) -> "Card":
        """The card of a run whose style_weight was calibrated."""
        assert self.loss is not None
        return replace(self, loss=replace(self.loss, style_weight=style_weight))

    def with_stages(self, stages: list[CropStage]) -> "Card":
        """The card of a run with these stages of crops."""
        assert self.data is not None
        last = stages[-1]
        return replace(self, data=replace(self.data, size=last.size, scale_range=last.scale_range, stages=stages))

    def to_json(self) -> dict[str, Any]:
        """The card as plain JSON values, keys sorted."""
        return json.loads(json.dumps(super().to_json(), sort_keys=True))


@dataclass(frozen=True)
class StyleLabel(_CardJson):
    """A style of a store, as its exported file lists it."""

    name: str
    artist: str
    license: str
    stroke_resolution: int | None = None


@dataclass(frozen=True)
class StyleIdentity(_CardJson):
    """What identifies a style image; the fields of `StyleCard` that its pixels depend on."""

    name: str
    sha256: str
    size: int
    painter: str | None
    seed: int


@dataclass(frozen=True)
class ExportedCard(_CardJson):
    """What an exported file stores of the card of its checkpoint."""

    style: StyleIdentity
    loss: LossCard

    @classmethod
    def of(cls, card: Card) -> "ExportedCard | None":
        """Return this part of a card, or None where the card lacks it."""
        if card.style is None or card.loss is None:
            return None
        style = card.style
        return cls(StyleIdentity(style.name, style.sha256, style.size, style.painter, style.seed), card.loss)


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a card."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Card.schema("validation")


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(json_schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
