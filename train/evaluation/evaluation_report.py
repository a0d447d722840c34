"""What impasto-evaluate writes to evaluation.json."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from impasto.models.typed_json import TypedJson
from impasto.train.evaluation.photo_evaluation import MedianRow
from impasto.train.evaluation.quality_gate import Gate

FORMAT: Final = "impasto-evaluation-1"


@dataclass(frozen=True)
class EvaluationReport(TypedJson):
    """The content of evaluation.json."""

    format: Literal["impasto-evaluation-1"]
    passed: bool
    """Whether every gate passed."""
    gates: list[Gate]
    """The verdict of each limit that was set."""
    checkpoint: dict[str, Any]
    """The network: the name of its style, its output, and of its card the model and the training."""
    loss: dict[str, Any]
    """The settings of the loss."""
    baseline: dict[str, Any]
    """The settings of the optimizer."""
    medians: list[MedianRow]
    """The medians over the photos by size and initial image."""
    display: dict[str, Any] | None
    """The figures at display size; null without them."""
    style_image: dict[str, Any]
    """The style image's own artifacts."""
    photos: list[dict[str, Any]]
    """The figures of each photo at each size."""
