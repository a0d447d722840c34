from dataclasses import replace

import pytest

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.evaluate import EvaluationConfig
from impasto.models.metrics.pattern import Pattern
from impasto.train.evaluation.display_evaluation import DisplayMedians
from impasto.train.evaluation.photo_evaluation import ArtifactMedians, MedianRow
from impasto.train.evaluation.quality_gate import crop_gates, display_gates, require

ROW = MedianRow(
    size=256,
    start="noise",
    photos=3,
    equivalent_iterations=30,
    ratio=2.5,
    total=1.0,
    content=1.0,
    style=0.0,
    artifacts=ArtifactMedians({}, {}, excess={"checkerboard": 1.5, "blobs": 10.0, "border": 0.2}),
    flicker={"pan": 6.0, "noise": 8.0, "both": 7.0},
)


def limits(**changes: object) -> EvaluationConfig:
    names = ("min_equivalent_iterations", "max_ratio", "max_checkerboard", "max_blobs", "max_border", "max_flicker")
    settings: dict[str, object] = {"sizes": [64], "starts": ["noise"], "iterations": 90, "count": 2}
    return EvaluationConfig(**(settings | dict.fromkeys(names) | changes))  # type: ignore[arg-type]


def require_crops(rows: list[MedianRow], settings: EvaluationConfig) -> None:
    require(crop_gates(rows, settings))


def test_crop_gates_equal_values_pass() -> None:
    require_crops([ROW], limits(min_equivalent_iterations=30, max_ratio=2.5, max_flicker=7))
    require_crops([ROW], limits(max_checkerboard=1.5, max_blobs=10, max_border=0.2))


def test_crop_gates_comparison_holds_for_noise_only() -> None:
    from_photo = replace(ROW, start="photo", equivalent_iterations=2)
    require_crops([ROW, from_photo], limits(min_equivalent_iterations=30))
    with pytest.raises(CheckFailed, match="from photo"):
        require_crops([from_photo], limits(min_equivalent_iterations=30))


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (
            {"min_equivalent_iterations": 40},
            r"equals 30 L-BFGS iterations \(from noise at 256 px.*fewer than evaluate.min_equivalent_iterations=40",
        ),
        ({"max_ratio": 2}, r"2.50 times the optimizer's best.*more than evaluate.max_ratio=2"),
        ({"max_flicker": 6.5}, r"flickers by 7.00 levels .* at 256 px.*more than evaluate.max_flicker=6.5"),
        ({"max_checkerboard": 0.1}, r"stronger by 1.50 than its photos at 256 px.*evaluate.max_checkerboard=0.1"),
        ({"max_blobs": 0.1}, r"10.00 more saturated.*than its photos at 256 px.*more than evaluate.max_blobs=0.1"),
        ({"max_border": 0.1}, r"by 0.20 more than its photos at 256 px.*more than evaluate.max_border=0.1"),
    ],
)
def test_crop_gates_exceeded_limit_names_value_and_key(limit: dict[str, object], words: str) -> None:
    with pytest.raises(CheckFailed, match=words) as error:
        require_crops([ROW], limits(**limit))
    assert "\n" not in str(error.value)


def require_display(figures: DisplayMedians, settings: EvaluationConfig) -> None:
    require(display_gates(figures, settings))


FIGURES = DisplayMedians(3, [0.2, 0.1, 0.3, 0.25], 0.8, 0.7, Pattern("red-green", 5.7, 12.0, 0.6), 1.8, 0.4)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"max_octave": 0.29}, "0.30 of the photo's own in one octave .*evaluate.max_octave=0.29"),
        ({"min_edges": 0.81}, "edges of the network's output correlate by 0.80 .*evaluate.min_edges=0.81"),
        (
            {"min_faces": 0.75},
            "faces of the network's output correlate by 0.70 .*photos with faces, of 3 .*evaluate.min_faces=0.75",
        ),
        (
            {"max_flat_texture": 1.5},
            r"texture is 1.80 times .*flat places, of 3 .*evaluate.max_flat_texture=1.5; .*loss.flatness_weight",
        ),
        ({"max_weave": 0.2}, r"a weave of 0.40 .*evaluate.max_weave=0.2; .*loss.weave_weight"),
        ({"max_pattern": 0.25}, "pattern of 5.7 px in red-green with 0.60 .*evaluate.max_pattern=0.25"),
    ],
)
def test_display_gates_beyond_a_limit_names_its_key(setting: dict[str, float], words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        require_display(FIGURES, limits(**setting))


def test_display_gates_equal_values_pass() -> None:
    textures = {"max_pattern": 0.6, "max_flat_texture": 1.8, "max_weave": 0.4}
    require_display(FIGURES, limits(max_octave=0.3, min_edges=0.8, min_faces=0.7, **textures))
    require_display(replace(FIGURES, faces=None), limits(min_edges=0.8))
    require_display(FIGURES, limits())


def test_display_gates_that_measured_nothing_fail() -> None:
    (gate,) = display_gates(replace(FIGURES, faces=None), limits(min_faces=0.1))
    assert (gate.name, gate.value, gate.passed) == ("evaluate.min_faces", None, False)
    with pytest.raises(CheckFailed, match=r"no faces were found in the 3 photos .*evaluate\.min_faces=0\.1 could not"):
        require([gate])
    (gate,) = display_gates(replace(FIGURES, flat_texture=None), limits(max_flat_texture=1.5))
    assert not gate.passed and "3 photos have no flat places (at 1080 px), so evaluate.max_flat" in gate.message


def test_gates_list_every_limit_that_is_set() -> None:
    other = replace(ROW, size=512, ratio=1.5)
    gates = crop_gates([ROW, replace(ROW, start="photo"), other], limits(max_ratio=2, max_blobs=10))
    assert [(gate.name, gate.size, gate.limit, gate.value, gate.passed) for gate in gates] == [
        ("evaluate.max_ratio", 256, 2, 2.5, False),
        ("evaluate.max_blobs", 256, 10, 10.0, True),
        ("evaluate.max_ratio", 512, 2, 1.5, True),
        ("evaluate.max_blobs", 512, 10, 10.0, True),
    ]
    assert [bool(gate.message) for gate in gates] == [True, False, False, False]
    assert crop_gates([ROW], limits()) == display_gates(FIGURES, limits()) == []


@pytest.mark.parametrize("key", ["octave", "pattern", "flat_texture", "weave"])
def test_display_limits_without_a_display_are_refused(key: str) -> None:
    with pytest.raises(UsageError, match=r"need evaluate\.display"):
        limits(display=None, **{f"max_{key}": 0.3})


def test_more_equivalent_iterations_than_iterations_are_refused() -> None:
    with pytest.raises(UsageError, match=r"min_equivalent_iterations=40 is more than evaluate\.iterations=30"):
        EvaluationConfig(iterations=30, min_equivalent_iterations=40)
