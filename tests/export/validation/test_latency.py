import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.bench import BenchmarkConfig
from impasto.export.onnx_graph import memory_estimate
from impasto.export.validation import latency, report
from tests.helpers.bundles import Written


@pytest.mark.slow
def test_measure_returns_a_row_per_size_and_threads(written: Written) -> None:
    path = written("mobile", "uint8_rgba")
    lines: list[str] = []
    config = BenchmarkConfig(["96x64", 256], [1, 2], 1)
    result = latency.measure(path.parent, [path.name], config, lines.append)
    assert [(row.width, row.height, row.threads) for row in result.rows] == [
        *((96, 64, 1), (96, 64, 2)),
        *((256, 256, 1), (256, 256, 2)),
    ]
    assert all(row.ms > 0 and row.peak_mib is not None and row.peak_mib > 0 for row in result.rows)
    assert result.machine and len(lines) == 4


def test_measure_accepts_files_with_float32_input(written: Written) -> None:
    path = written("mobile", "float32_rgb")
    result = latency.measure(path.parent, [path.name], BenchmarkConfig([64], [1], 1), lambda line: None)
    assert len(result.rows) == 1


def test_measure_of_a_broken_file_raises_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(CheckFailed, match=r"model\.onnx could not be timed at 64x64: .+") as error:
        latency.measure(tmp_path, ["model.onnx"], BenchmarkConfig([64], [1], 1), lambda line: None)
    assert "\n" not in str(error.value)


CHAIN = [("Relu", "image", "a"), ("Relu", "a", "b"), ("Mul", "b scale", "c"), ("Add", "a c", "stylized")]
SKIP = [("Relu", "image", "a"), ("Mul", "a image", "b"), ("Mul", "b scale", "stylized")]


@pytest.mark.parametrize("nodes", [CHAIN, SKIP])
def test_estimate_is_the_peak_of_live_tensors(tmp_path: Path, nodes: list[tuple[str, str, str]]) -> None:
    """Three tensors are live at once: in CHAIN a, b and c, in SKIP the image, a and b."""
    helper, kind = onnx.helper, onnx.TensorProto
    shape: list[str | int | None] = [1, 3, "height", "width"]
    operators = [helper.make_node(name, inputs.split(), [output]) for name, inputs, output in nodes]
    ends = [helper.make_tensor_value_info(name, kind.FLOAT, shape) for name in ("image", "stylized")]
    scale = onnx.numpy_helper.from_array(np.ones(1, np.float32), "scale")
    graph = helper.make_graph(operators, "chain", ends[:1], ends[1:], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "chain.onnx")
    assert memory_estimate.estimate(tmp_path / "chain.onnx", [(100, 50), (9, 7)]) == [
        4 + 3 * (3 * 4 * 100 * 50),
        4 + 3 * (3 * 4 * 9 * 7),
    ]


@pytest.mark.slow
def test_estimate_is_below_the_peak_of_a_process(written: Written) -> None:
    if sys.platform != "linux":
        pytest.skip("the estimate was compared with the peak memory that Linux reports")
    path = written("johnson", "uint8_rgba")
    config = BenchmarkConfig([1024], [1], 1)
    (row,) = latency.measure(path.parent, [path.name], config, lambda line: None).rows
    needed = memory_estimate.estimate(path, [(1024, 1024)])[0] / 2**20
    assert row.peak_mib is not None and 0.3 * row.peak_mib < needed < 1.2 * row.peak_mib


def test_peak_memory_without_a_source_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    peak = latency.peak_memory()
    assert peak is not None and 10 < peak < 1e6
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert latency.peak_memory() is None
    row = latency.LatencyRow("model.onnx", 64, 48, 1, 1.5, None)
    assert latency.LatencyRow.from_json(row.to_json()) == row
    assert report.memory(row.peak_mib) == "unknown"
