"""impasto-bench: the figures of one file, of two in turns, and what it leaves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.configs import app
from impasto.export import bench, measure
from tests.conftest import Run
from tests.export.conftest import Written

SMALL = "measure.sizes=[64x48]", "measure.threads=[1]", "measure.repeats=1", "turns=2"


def test_two_files_take_turns(written: Written, tmp_path: Path, impasto: Callable[..., Run]) -> None:
    for name in ("tiny", "johnson"):
        shutil.copy(written(name, "pixels"), tmp_path / f"{name}.onnx")
    done = impasto("bench", "model=tiny.onnx", "against=johnson.onnx", "output=out.json", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "64x48" in done.stdout and "times as fast" in done.stdout
    facts = json.loads((tmp_path / "out.json").read_text())
    tiny, johnson = facts["rows"]
    assert tiny["bytes"] == (tmp_path / "tiny.onnx").stat().st_size
    assert tiny["faster"] > 0 and "faster" not in johnson
    assert tiny["ms"] > 0 and tiny["peak_mib"] > 0


def test_medians_are_over_turns_and_ratios_within_them(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 100.0, 30.0, 120.0, 20.0, 20.0])
    monkeypatch.setattr(measure, "_child", lambda *_: {"ms": next(times), "peak_mib": 7})
    config = app.compose("bench", ["model=a.onnx", "measure.sizes=[64]", "measure.threads=[1]", "turns=3"])
    rows, _ = bench.compare([written("tiny", "pixels"), written("johnson", "pixels")], config)
    assert [row["ms"] for row in rows] == [20.0, 100.0]
    assert rows[0]["faster"] == 4.0  # the median of 10, 4 and 1


def test_what_cannot_be_measured_is_one_sentence(tmp_path: Path, impasto: Callable[..., Run]) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    for line, words in (
        (["model=model.onnx"], "is no model that ONNX Runtime can load"),
        (["model=zoo/nobody"], "is not in the zoo"),
        (["model=zoo/starry_night", "output=nowhere/out.json"], "there is no folder"),
        (["model=zoo/starry_night", "measure.sizes=[]"], "measure.sizes=[] is impossible"),
    ):
        done = impasto("bench", *line, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr and len(done.stderr.splitlines()) == 1
