import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from impasto.configs.errors import CheckFailed
from impasto.export import test_images
from impasto.export.onnx_graph import ort_tools, weight_compression
from impasto.models import onnx_model
from impasto.models.image.picture import Picture

SIZES = [(256, 256), (131, 217), (17, 33)]
STORES: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp16": weight_compression.fp16_stored,
    "int8": weight_compression.int8_stored,
}
WRITE = """
import sys
from pathlib import Path
import onnx
from impasto.export.onnx_graph import weight_compression as variants
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
for store in (variants.fp16_stored, variants.int8_stored):
    data = store(onnx.load(source)).SerializeToString(deterministic=True)
    (folder / f"model.{store.__name__[:4]}.onnx").write_bytes(data)
variants.write_ort(source, folder / "model.ort", folder / "model.required_operators.config")
variants.write_ort(folder / "model.int8.onnx", folder / "model.int8.ort", folder / "int8.config")
"""


def write(source: Path, folder: Path) -> Path:
    """Every variant of a file, by another process."""
    done = subprocess.run([sys.executable, "-c", WRITE, source, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory, trained_file: Path) -> Path:
    return write(trained_file, tmp_path_factory.mktemp("variants"))


def pictures(path: Path) -> list[NDArray[np.float64]]:
    session = onnx_model.load(path, 1)
    results = []
    for size in SIZES:
        alpha = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        result = onnx_model.stylize(session, Picture(test_images.picture(*size), alpha))
        np.testing.assert_array_equal(result.alpha, alpha)
        results.append(result.rgb.astype(np.float64))
    return results


def test_variants_stay_within_their_tolerance(trained_file: Path, variants: Path) -> None:
    expected = pictures(trained_file)
    for name, largest, psnr in (
        ("model.fp16.onnx", 2, 55),
        ("model.int8.onnx", 255, 40),
        ("model.ort", 1, 65),
        ("model.int8.ort", 255, 40),
    ):
        for result, full in zip(pictures(variants / name), expected, strict=True):
            assert np.abs(result - full).max() <= largest
            assert 10 * np.log10(255**2 / max(np.square(result - full).mean(), 1e-9)) >= psnr


@pytest.mark.parametrize(("variant", "share"), [("fp16", 0.56), ("int8", 0.36)])
def test_stored_variants_compress_only_large_weights(trained_file: Path, variant: str, share: float) -> None:
    model = onnx.load(trained_file)
    before = model.SerializeToString(deterministic=True)
    stored = STORES[variant](model)
    assert model.SerializeToString(deterministic=True) == before
    assert len(stored.SerializeToString()) < share * len(before)
    onnx.checker.check_model(stored, full_check=True)
    assert [(entry.domain, entry.version) for entry in stored.opset_import] == [("", 18)] and stored.ir_version == 8
    properties = [{item.key: item.value for item in m.metadata_props} for m in (model, stored)]
    assert properties[1] == properties[0] | {"variant": variant} and properties[0]["variant"] == "fp32"
    full, compressed = ({tensor.name: tensor for tensor in m.graph.initializer} for m in (model, stored))
    convolutions = {name for name, tensor in full.items() if len(tensor.dims) == 4}
    kinds = {TensorProto.FLOAT16: "fp16", TensorProto.INT8: "int8"}
    assert {name for name, tensor in compressed.items() if tensor.data_type in kinds} == {
        f"{name}.{'fp16' if name == 'conv0.weight' else variant}" for name in convolutions
    }
    assert all(
        name.endswith(kinds[tensor.data_type]) for name, tensor in compressed.items() if tensor.data_type in kinds
    )
    assert all(compressed[name] == tensor for name, tensor in full.items() if name not in convolutions)


def test_int8_stored_is_symmetric_with_a_scale_per_channel(trained_file: Path) -> None:
    weight = next(tensor for tensor in onnx.load(trained_file).graph.initializer if tensor.name == "conv1.weight")
    values = numpy_helper.to_array(weight).copy()
    values[1] = 0
    model = onnx.load(trained_file)
    next(tensor for tensor in model.graph.initializer if tensor.name == "conv1.weight").raw_data = values.tobytes()
    stored = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in weight_compression.int8_stored(model).graph.initializer
    }
    whole, scale = stored["conv1.weight.int8"], stored["conv1.weight.scale"]
    assert scale.shape == (values.shape[0],) and np.isfinite(scale).all() and (scale > 0).all()
    assert (np.abs(whole).max(axis=(1, 2, 3)) == np.where(np.arange(len(scale)) == 1, 0, 127)).all()
    assert (np.abs(whole * scale[:, None, None, None] - values) <= 0.501 * scale[:, None, None, None]).all()


@pytest.mark.slow
def test_variants_in_another_process_have_the_same_bytes_and_no_path(
    trained_file: Path, variants: Path, tmp_path: Path
) -> None:
    again = write(trained_file, tmp_path)
    names = sorted(path.name for path in variants.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names and len(names) == 6
    for name in names:
        data = (variants / name).read_bytes()
        assert data == (again / name).read_bytes()
        paths = [str(Path.home()), str(Path.cwd()), sys.prefix, str(variants), "/tmp", "site-packages", "/onnxruntime/"]
        assert [path for path in paths if path.encode() in data] == []
    lines = (variants / "model.required_operators.config").read_text().splitlines()
    assert all(line.count(";") == 2 for line in lines) and any("Conv" in line for line in lines)


@pytest.mark.parametrize("name", ["model.fp16.onnx", "model.int8.onnx", "model.ort", "model.int8.ort"])
def test_variants_preserve_the_card(trained_file: Path, variants: Path, name: str) -> None:
    session = onnx_model.load(variants / name, 1)
    assert onnx_model.card(session) == onnx_model.card(onnx_model.load(trained_file)) is not None


@pytest.mark.slow
def test_write_ort_with_a_failing_converter_raises_one_sentence(
    trained_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = tmp_path / "model.ort", tmp_path / "model.config"
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(
        CheckFailed, match=r"text\.onnx could not be converted to model\.ort: .*; use the tested"
    ) as error:
        weight_compression.write_ort(tmp_path / "text.onnx", *targets)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)

    def silent(*arguments: Any) -> SimpleNamespace:
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(ort_tools, "run", silent)
    with pytest.raises(CheckFailed, match="it wrote no file"):
        weight_compression.write_ort(trained_file, *targets)
    assert not any(target.exists() for target in targets)
