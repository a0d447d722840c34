"""One style of a store, or a blend, as a separate model."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from impasto.configs.errors import UsageError
from impasto.export.onnx_graph import styles, weight_compression
from impasto.models import checkpoint, onnx_writer
from impasto.models.contract import Label
from tests.helpers.stores import NAMES, card_of, store_of

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 40, 56, 4), np.uint8)
WEIGHTS = [0.2, 0.5, 0.3]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store.onnx"
    onnx_writer.write(store_of(), path, "uint8_rgba", Label.of(card_of()))
    return path


def run(model: bytes | Path, **inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model) if isinstance(model, Path) else model)
    stylized: np.ndarray = session.run(None, {"image": IMAGE, **inputs})[0]
    return stylized.astype(int)


@pytest.mark.parametrize("stored", [None, weight_compression.fp16_stored, weight_compression.int8_stored])
def test_blended_model_equals_the_store_with_these_weights(path: Path, stored: object) -> None:
    model = onnx.load(path)
    model = stored(model) if callable(stored) else model
    expected = run(model.SerializeToString(), styles=np.array(WEIGHTS, np.float32))
    single = styles.blended(model, WEIGHTS)
    onnx.checker.check_model(single, full_check=True)
    assert [value.name for value in single.graph.input] == ["image"]
    assert not any(node.op_type == "MatMul" for node in single.graph.node)
    assert np.abs(run(single.SerializeToString()) - expected).max() <= 1


def test_layout_lets_an_app_write_any_style_into_the_file(path: Path) -> None:
    store, model = store_of(), weight_compression.int8_stored(onnx.load(path))
    content, places = styles.layout(model, store.norms(0))
    one = np.array([0, 0, 1], np.float32)
    assert sum(count for _, count in places) == len(store.norms(0))
    assert np.abs(run(content) - run(model.SerializeToString(), styles=one[::-1])).max() <= 1
    edited, values = bytearray(content), iter(store.norms(2))
    for offset, count in places:
        edited[offset : offset + 4 * count] = np.array([next(values) for _ in range(count)], "<f4").tobytes()
    assert np.abs(run(bytes(edited)) - run(model.SerializeToString(), styles=one)).max() <= 1
    properties = {item.key: item.value for item in onnx.load_from_string(content).metadata_props}
    assert "styles" not in properties and properties["contract"].startswith("image: uint8 [1, height, width, 4]")


def test_with_files_blends_a_file_and_refuses_one_of_another_network(path: Path, tmp_path: Path) -> None:
    files = checkpoint.save_styles(tmp_path, store_of(), card_of())
    weights = np.array([0.5, 0, 0], np.float32)
    model, sides = styles.with_files(onnx.load(path), path, weights, {str(files["second"]): 0.5})
    expected = run(path, styles=np.array([0.5, 0.5, 0], np.float32))
    assert np.abs(run(model.SerializeToString()) - expected).max() <= 1
    assert sides == [200]
    other = checkpoint.save_styles(tmp_path / "other", store_of(seed=1), card_of())[NAMES[0]]
    with pytest.raises(UsageError, match="is a style of another network than"):
        styles.with_files(onnx.load(path), path, weights, {str(other): 0.5})
