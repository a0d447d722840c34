"""impasto-bench: the figures of one file, of two in turns, and its output file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.configs.cli import app
from impasto.export.commands import bench
from impasto.export.validation import latency
from tests.helpers.bundles import Written
from tests.helpers.commands import Run
from tests.helpers.in_process import assert_one_sentence, call_main

SMALL = "benchmark.sizes=[64x48]", "benchmark.threads=[1]", "benchmark.repeats=1", "benchmark.rounds=2"


def test_bench_of_two_files_reports_the_speedup(written: Written, tmp_path: Path, impasto: Callable[..., Run]) -> None:
    for name in ("tiny", "johnson"):
        shutil.copy(written(name, "uint8_rgba"), tmp_path / f"{name}.onnx")
    done = impasto("bench", "model=tiny.onnx", "baseline=johnson.onnx", "output=out.json", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "64x48" in done.stdout and "speedup" in done.stdout
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["format"] == bench.BenchReport.from_json(facts).format == "impasto-benchmark-1"
    tiny, johnson = facts["rows"]
    assert tiny["bytes"] == (tmp_path / "tiny.onnx").stat().st_size
    assert tiny["speedup"] > 0 and johnson["speedup"] is None
    assert tiny["ms"] > 0 and tiny["peak_mib"] > 0


@pytest.mark.slow
def test_compare_takes_medians_over_rounds_of_ratios_within_them(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([10.0, 100.0, 30.0, 120.0, 20.0, 20.0])
    monkeypatch.setattr(latency, "_measure_in_child", lambda *_: (next(times), 7))
    config = app.compose(
        "bench", ["model=a.onnx", "benchmark.sizes=[64]", "benchmark.threads=[1]", "benchmark.rounds=3"]
    )
    rows, _ = bench.compare([written("tiny", "uint8_rgba"), written("johnson", "uint8_rgba")], config)
    assert [row.ms for row in rows] == [20.0, 100.0]
    assert rows[0].speedup == 4.0  # the median of 10, 4 and 1


def test_bench_of_an_unusable_file_or_output_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(b"not a model")
    for line, words in (
        (["model=model.onnx"], "cannot be loaded by ONNX Runtime as a model"),
        (["model=zoo/nobody"], "is not in the zoo"),
        (["model=zoo/starry_night", "output=nowhere/out.json"], "nowhere does not exist"),
        (["model=zoo/starry_night", "benchmark.sizes=[]"], "benchmark.sizes=[] is empty"),
    ):
        assert call_main(monkeypatch, "impasto-bench", bench.main, *line) == 2
        assert_one_sentence(capsys, "impasto-bench", [words])
