"""The quality gates of impasto-evaluate: limits on the medians over the photos, and the verdict of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.evaluate import EvaluationConfig
from impasto.models.typed_json import TypedJson
from impasto.train.evaluation.display_evaluation import DisplayMedians
from impasto.train.evaluation.photo_evaluation import MedianRow

_ARTIFACTS = {
    "checkerboard": "a checkerboard of 4 or 2 px that is stronger by {}",
    "blobs": "{} more saturated blobs per megapixel",
    "border": "a border that differs from the interior by {} more",
}


@dataclass(frozen=True)
class Gate(TypedJson):
    """The verdict of one limit at one size."""

    name: str
    """The key that sets the limit, such as `evaluate.max_ratio`."""
    size: int
    """The side of the squares, or the short side of the display, in px."""
    limit: float
    value: float | None
    """The median over the photos; null where it could not be measured, which fails."""
    passed: bool
    message: str
    """What exceeds the limit, and what to do; empty where the gate passed."""


def gates(rows: Sequence[MedianRow], display: DisplayMedians | None, limits: EvaluationConfig) -> list[Gate]:
    """Return the verdict of each limit that is set; `display` is None where nothing was evaluated at display size."""
    return [*(display_gates(display, limits) if display else []), *crop_gates(rows, limits)]


def display_gates(figures: DisplayMedians, limits: EvaluationConfig) -> list[Gate]:
    """Return the verdict of each limit that is set on the medians of `display_evaluation.medians`."""
    display = f"at {limits.display} px"
    photos = f"{figures.photos} photo" + "s" * (figures.photos != 1)
    scope = f"{display}, median of {photos}"
    verdicts: list[Gate] = []

    def add(key: str, value: float | None, failure: str) -> None:
        verdicts.extend(_gate(key, limits.display or 0, value, limits, failure))

    octave = max(figures.octaves)
    add(
        "max_octave",
        octave,
        f"the network's distance to the painting is {octave:.2f} of the photo's own in one octave ({scope}), more than "
        "{limit}; train it with loss=strokes, or longer",
    )
    for name, where in (("edges", scope), ("faces", f"{display}, median of the photos with faces, of {photos}")):
        value = getattr(figures, name)
        failure = (
            f"no {name} were found in the {photos} ({display}), so {{limit}} could not be checked; evaluate "
            "photos that have some, with scikit-image installed"
            if value is None
            else f"the {name} of the network's output correlate by {value:.2f} with the photo's ({where}), less than "
            "{limit}; train it with a lower loss.style_weight"
        )
        add(f"min_{name}", value, failure)
    pattern = figures.pattern
    add(
        "max_pattern",
        pattern.fraction,
        f"the network's output has a periodic pattern of {pattern.period:.1f} px in {pattern.channel} with "
        f"{pattern.fraction:.2f} of its octave's variance ({scope}), more than {{limit}}; train it with a higher "
        "loss.pattern_weight, or longer",
    )
    texture = figures.flat_texture
    add(
        "max_flat_texture",
        texture,
        f"the {photos} have no flat places ({display}), so {{limit}} could not be checked; evaluate photos with a "
        "plain sky or wall"
        if texture is None
        else f"where photos are flat, the network's texture is {texture:.2f} times that of the painting's flat places "
        f"({display}, median of the photos with flat places, of {photos}), more than {{limit}}; train it with a higher "
        "loss.flatness_weight",
    )
    add(
        "max_weave",
        figures.weave,
        f"the network's output has a weave of {figures.weave:.2f} ({scope}), more than {{limit}}; train it with a "
        "higher loss.weave_weight, or longer",
    )
    return verdicts


def crop_gates(rows: Sequence[MedianRow], limits: EvaluationConfig) -> list[Gate]:
    """Return the verdict of each limit that is set on the center crops, at each size.

    The limits on the optimizer's comparison hold for the optimizer from noise, or from the first initial image if
    noise was not evaluated.

    Args:
        rows: The rows of `photo_evaluation.medians`.
        limits: The limits; null for none.
    """
    starts = [row.start for row in rows]
    start = "noise" if "noise" in starts else starts[0]
    verdicts: list[Gate] = []
    for row in rows:
        if row.start == start:
            for key, value, failure in _crop_figures(row):
                verdicts += _gate(key, row.size, value, limits, failure)
    return verdicts


def require(verdicts: Sequence[Gate], report: object = None) -> None:
    """Raise CheckFailed for the first gate that did not pass; `report` is its report."""
    for gate in verdicts:
        if not gate.passed:
            raise CheckFailed(gate.message, report)


def _crop_figures(row: MedianRow) -> list[tuple[str, float, str]]:
    """The key of each limit, the median, and the sentence if it exceeds the limit."""
    scope = f"from {row.start} at {row.size} px, median of {row.photos} photos"
    where = f"at {row.size} px, median of {row.photos} photos, more than {{limit}}"
    flicker = row.flicker["both"]
    figures = [
        (
            "min_equivalent_iterations",
            row.equivalent_iterations,
            f"one pass equals {row.equivalent_iterations:g} L-BFGS iterations ({scope}), fewer than {{limit}}; train "
            "the network longer",
        ),
        (
            "max_ratio",
            row.ratio,
            f"the network's loss is {row.ratio:.2f} times the optimizer's best ({scope}), more than {{limit}}; train "
            "the network longer",
        ),
        (
            "max_flicker",
            flicker,
            f"the network flickers by {flicker:.2f} levels on synthetic clips {where}; train it with "
            "loss.temporal_weight",
        ),
    ]
    for name, description in _ARTIFACTS.items():
        excess = row.artifacts.excess[name]
        remedy = " with a higher loss.checkerboard_weight" if name == "checkerboard" else ""
        what = f"the network's output has {description.format(f'{excess:.2f}')} than its photos {where}"
        figures.append((f"max_{name}", excess, f"{what}; train it again{remedy}"))
    return figures


def _gate(key: str, size: int, value: float | None, limits: EvaluationConfig, failure: str) -> list[Gate]:
    """The verdict of a limit, if it is set; `failure` is the sentence with `{limit}` in it."""
    limit = getattr(limits, key)
    if limit is None:
        return []
    passed = value is not None and (value >= limit if key.startswith("min_") else value <= limit)
    name = f"evaluate.{key}"
    message = "" if passed else failure.replace("{limit}", f"{name}={limit:g}")
    return [Gate(name, size, limit, value, passed, message)]
