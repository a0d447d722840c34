"""Networks against the optimizer: worth, ratio, cache, gate, and what impasto-evaluate leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.errors import CheckError
from impasto.configs.schema import EvaluationConfig
from impasto.train import evaluation
from impasto.train.evaluation import Trajectory
from tests.conftest import Run

Impasto = Callable[..., Run]


def trajectory(*totals: float) -> Trajectory:
    kept = [1, len(totals)]
    return Trajectory(list(totals), kept, np.zeros((2, 4, 4, 3), np.uint8))


def limits(**changes: object) -> EvaluationConfig:
    settings: dict[str, object] = {
        **{"sizes": [64], "starts": ["noise"], "iterations": 9, "count": 2, "min_worth": None, "max_ratio": None},
    }
    return EvaluationConfig(**(settings | changes))  # type: ignore[arg-type]


def test_worth_is_the_first_iteration_that_is_as_good() -> None:
    way = trajectory(9.0, 5.0, 6.0, 3.0, float("inf"))
    assert [way.worth(total) for total in (10.0, 9.0, 5.5, 5.0, 4.0, 3.0, 1.0)] == [1, 1, 2, 2, 4, 4, 5]
    assert way.best == 3.0


ROW = {
    "size": 256,
    "start": "noise",
    "photos": 3,
    "worth": 30,
    "ratio": 2.5,
    "total": 1.0,
    "content": 1.0,
    "style": 0.0,
}


def test_the_gate() -> None:
    evaluation.gate([ROW], limits(min_worth=30, max_ratio=2.5))
    with pytest.raises(CheckError, match=r"worth 30 iterations from noise at 256 px.*less than evaluate.min_worth=40"):
        evaluation.gate([ROW], limits(min_worth=40))
    with pytest.raises(CheckError, match=r"2.50 times the optimizer's best.*more than evaluate.max_ratio=2"):
        evaluation.gate([ROW], limits(max_ratio=2))
    evaluation.gate([ROW, ROW | {"start": "photo", "worth": 2}], limits(min_worth=30))


def test_the_command(tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    checkpoint = max(tiny_run.glob("*.safetensors"))
    line = [
        *(
            "evaluate",
            f"checkpoint={checkpoint}",
            f"photos={photo_folder}",
            "weights=random",
            f"output={tmp_path / 'out'}",
        ),
        *("evaluate.sizes=[32,48]", "evaluate.iterations=25", "evaluate.count=2", f"cache={tmp_path / 'cache'}"),
    ]
    done = impasto(*line)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [(row["size"], row["start"], row["photos"]) for row in facts["medians"]] == [
        *((32, "noise", 2), (32, "photo", 2), (48, "noise", 2), (48, "photo", 2))
    ]
    assert facts["yardstick"]["history"] == 50
    for row in facts["photos"]:
        assert row["losses"]["total"] == pytest.approx(row["losses"]["content"] + row["losses"]["style"], rel=1e-4)
        assert row["ratio"]["noise"] == pytest.approx(row["losses"]["total"] / row["best"]["noise"])
        assert 1 <= row["worth"]["noise"] <= 25
    for name in ("curves.png", "sheet.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert len(picture.getcolors(1 << 20) or []) > 10

    ways = sorted((tmp_path / "cache").iterdir())
    assert len(ways) == 8
    written = {path: path.stat().st_mtime_ns for path in ways}
    ways[0].write_bytes(b"damaged")
    strict = impasto(*line, "evaluate.min_worth=26", f"output={tmp_path / 'again'}")
    assert strict.returncode == 1
    assert len([text for text in strict.stderr.splitlines() if text.startswith("impasto-evaluate: ")]) == 1
    assert "less than evaluate.min_worth=26" in strict.stderr
    again = json.loads((tmp_path / "again/evaluation.json").read_text())
    assert again["photos"] == facts["photos"]  # also the way that was damaged, walked again
    assert {path: path.stat().st_mtime_ns for path in ways[1:]} == {path: written[path] for path in ways[1:]}


def test_another_painting_is_refused(tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    checkpoint = max(tiny_run.glob("*.safetensors"))
    done = impasto("evaluate", f"checkpoint={checkpoint}", f"photos={photo_folder}", f"style={tmp_path / 'red.png'}")
    assert done.returncode == 2
    assert "is not the picture of swirls that the network was trained on" in done.stderr
    assert len(done.stderr.splitlines()) == 1
