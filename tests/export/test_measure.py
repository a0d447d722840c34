import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.errors import CheckError
from impasto.configs.shipping import MeasureConfig
from impasto.export import measure, memory
from tests.export.conftest import Written


def test_rows(written: Written) -> None:
    path = written("mobile", "pixels")
    said: list[str] = []
    config = MeasureConfig(["96x64", 256], [1, 2], 1)
    found = measure.measure(path.parent, [path.name], config, said.append)
    assert [(row["width"], row["height"], row["threads"]) for row in found["rows"]] == [
        *((96, 64, 1), (96, 64, 2)),
        *((256, 256, 1), (256, 256, 2)),
    ]
    assert all(row["ms"] > 0 and row["peak_mib"] > 0 for row in found["rows"])
    assert found["machine"] and len(said) == 4


def test_files_of_floats_are_measured_too(written: Written) -> None:
    path = written("mobile", "float")
    found = measure.measure(path.parent, [path.name], MeasureConfig([64], [1], 1), lambda line: None)
    assert len(found["rows"]) == 1


def test_a_file_that_does_not_run_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(CheckError, match=r"model\.onnx could not be timed at 64x64: .+") as error:
        measure.measure(tmp_path, ["model.onnx"], MeasureConfig([64], [1], 1), lambda line: None)
    assert "\n" not in str(error.value)


CHAIN = [("Relu", "image", "a"), ("Relu", "a", "b"), ("Mul", "b scale", "c"), ("Add", "a c", "stylized")]
SKIP = [("Relu", "image", "a"), ("Mul", "a image", "b"), ("Mul", "b scale", "stylized")]


@pytest.mark.parametrize("nodes", [CHAIN, SKIP])
def test_memory_counts_what_lives_at_once(tmp_path: Path, nodes: list[tuple[str, str, str]]) -> None:
    """Three pictures are alive at once: of CHAIN a, b and c, of SKIP the image, a and b."""
    helper, kind = onnx.helper, onnx.TensorProto
    shape: list[str | int | None] = [1, 3, "height", "width"]
    made = [helper.make_node(name, inputs.split(), [output]) for name, inputs, output in nodes]
    ends = [helper.make_tensor_value_info(name, kind.FLOAT, shape) for name in ("image", "stylized")]
    scale = onnx.numpy_helper.from_array(np.ones(1, np.float32), "scale")
    graph = helper.make_graph(made, "chain", ends[:1], ends[1:], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "chain.onnx")
    assert memory.needed(tmp_path / "chain.onnx", [(100, 50), (9, 7)]) == [
        4 + 3 * (3 * 4 * 100 * 50),
        4 + 3 * (3 * 4 * 9 * 7),
    ]


def test_memory_is_less_than_what_a_process_took(written: Written) -> None:
    if sys.platform != "linux" or os.name != "posix":
        pytest.skip("the peak of a process is read as Linux tells it")
    path = written("johnson", "pixels")
    config = MeasureConfig([1024], [1], 1)
    (row,) = measure.measure(path.parent, [path.name], config, lambda line: None)["rows"]
    needed = memory.needed(path, [(1024, 1024)])[0] / 2**20
    assert 0.3 * row["peak_mib"] < needed < 1.2 * row["peak_mib"]
