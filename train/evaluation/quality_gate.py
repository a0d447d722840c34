"""The quality gate of impasto-evaluate: limits on the medians over the photos."""

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.evaluate import EvaluationConfig
from impasto.train.evaluation.display_evaluation import DisplayMedians
from impasto.train.evaluation.photo_evaluation import MedianRow

_ARTIFACTS = {
    "checkerboard": "a checkerboard of 4 or 2 px that is stronger by {}",
    "blobs": "{} more saturated blobs per megapixel",
    "border": "a border that differs from the interior by {} more",
}


def check_display(figures: DisplayMedians, limits: EvaluationConfig) -> None:
    """Check the medians of `display_evaluation.medians` against the limits; raises CheckFailed."""
    scope = f"at {limits.display} px, median of {figures.photos} photos"
    octave, most = max(figures.octaves), limits.max_octave
    if most is not None and octave > most:
        raise CheckFailed(
            f"the network's distance to the painting is {octave:.2f} of the photo's own in one octave ({scope}), more "
            f"than evaluate.max_octave={most:g}; train it with loss=strokes, or longer"
        )
    for name in ("edges", "faces"):
        value, least = getattr(figures, name), getattr(limits, f"min_{name}")
        if least is not None and value is not None and value < least:
            raise CheckFailed(
                f"the {name} of the network's output correlate by {value:.2f} with the photo's ({scope}), less than "
                f"evaluate.min_{name}={least:g}; train it with a lower loss.style_weight"
            )
    pattern, most = figures.pattern, limits.max_pattern
    if most is not None and pattern.fraction > most:
        raise CheckFailed(
            f"the network's output has a periodic pattern of {pattern.period:.1f} px in {pattern.channel} with "
            f"{pattern.fraction:.2f} of its octave's variance ({scope}), more than evaluate.max_pattern={most:g}; "
            "train it with a higher loss.checkerboard_weight, or longer"
        )


def check_limits(rows: list[MedianRow], limits: EvaluationConfig) -> None:
    """Check medians against the limits.

    The limits on the optimizer's comparison hold for the optimizer from noise, or from the first initial image if
    noise was not evaluated. All limits hold at each size.

    Args:
        rows: The rows of `photo_evaluation.medians`.
        limits: The limits; null for none.

    Raises:
        CheckFailed: A limit is exceeded; the message names its key.
    """
    starts = [row.start for row in rows]
    start = "noise" if "noise" in starts else starts[0]
    for row in rows:
        if row.start == start:
            _check_comparison(row, limits)
            _check_flicker(row, limits)
            _check_artifacts(row, limits)


def _check_comparison(row: MedianRow, limits: EvaluationConfig) -> None:
    scope = f"from {row.start} at {row.size} px, median of {row.photos} photos"
    least, most = limits.min_equivalent_iterations, limits.max_ratio
    if least is not None and row.equivalent_iterations < least:
        raise CheckFailed(
            f"one pass equals {row.equivalent_iterations:g} L-BFGS iterations ({scope}), fewer than "
            f"evaluate.min_equivalent_iterations={least:g}; train the network longer"
        )
    if most is not None and row.ratio > most:
        raise CheckFailed(
            f"the network's loss is {row.ratio:.2f} times the optimizer's best ({scope}), more than "
            f"evaluate.max_ratio={most:g}; train the network longer"
        )


def _check_flicker(row: MedianRow, limits: EvaluationConfig) -> None:
    flicker, most = row.flicker["both"], limits.max_flicker
    if most is not None and flicker > most:
        raise CheckFailed(
            f"the network flickers by {flicker:.2f} levels on synthetic clips at {row.size} px, median of "
            f"{row.photos} photos, more than evaluate.max_flicker={most:g}; train it with loss.temporal_weight"
        )


def _check_artifacts(row: MedianRow, limits: EvaluationConfig) -> None:
    for name, description in _ARTIFACTS.items():
        most, excess = getattr(limits, f"max_{name}"), row.artifacts.excess[name]
        if most is not None and excess > most:
            remedy = " with a higher loss.checkerboard_weight" if name == "checkerboard" else ""
            raise CheckFailed(
                f"the network's output has {description.format(f'{excess:.2f}')} than its photos at {row.size} px, "
                f"median of {row.photos} photos, more than evaluate.max_{name}={most:g}; train it again{remedy}"
            )
