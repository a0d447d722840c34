"""impasto-bench: the figures of one file, of two in turns, and its output file."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.export.commands import bench
from impasto.export.litert import writer
from impasto.export.validation import latency
from impasto.models import transform_net
from tests.helpers.bundles import Written
from tests.helpers.commands import Run
from tests.helpers.in_process import assert_one_sentence, call_main
from tests.helpers.networks import LABEL

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


@pytest.mark.slow
def test_compare_measures_a_litert_file_beside_an_onnx_file_at_its_sizes(
    written: Written, trained: transform_net.TransformNet, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    writer.write(trained, path, [(48, 64), (64, 64)], LABEL)
    baseline = written("tiny", "uint8_rgba")
    config = app.compose("bench", [f"model={path}", f"baseline={baseline}", *SMALL[1:]])
    for models in ([path, baseline], [baseline, path]):
        rows, _ = bench.compare(models, bench._with_sizes(config, models))
        assert [(row.width, row.height, row.file) for row in rows] == [
            (side, height, str(file)) for side, height in ((64, 48), (64, 64)) for file in models
        ]
        assert all(row.ms > 0 and row.peak_mib is not None for row in rows)
        assert rows[0].speedup is not None and rows[1].speedup is None
    named = app.compose("bench", [f"model={path}", *SMALL])
    assert bench._with_sizes(named, [path]).benchmark.shapes() == [(48, 64)]
    named = app.compose("bench", [f"model={path}", "benchmark.sizes=[64,96]"])
    with pytest.raises(UsageError, match=r"has no signature for 96x96; it has 64x48, 64x64$"):
        bench._with_sizes(named, [path])


def test_bench_of_an_unusable_litert_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("torn.tflite").write_bytes(b"not a model")
    for name, words in (
        ("torn", "is not a .tflite file of impasto-export"),
        ("absent", "cannot be read: no such file"),
    ):
        assert call_main(monkeypatch, "impasto-bench", bench.main, f"model={name}.tflite") == 2
        assert_one_sentence(capsys, "impasto-bench", [words])
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert call_main(monkeypatch, "impasto-bench", bench.main, "model=torn.tflite") == 2
    assert_one_sentence(capsys, "impasto-bench", ["torn.tflite is a .tflite file, which needs LiteRT"])
