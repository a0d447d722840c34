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

from impasto.configs.errors import CheckError
from impasto.export import golden, ort_tools, variants
from impasto.models import exported
from impasto.models.pictures import Picture

SIZES = [(256, 256), (131, 217), (17, 33)]
STORES: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp16": variants.fp16_stored,
    "int8": variants.int8_stored,
}
WRITE = """
import sys
from pathlib import Path
import onnx
from impasto.export import variants
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
def made(tmp_path_factory: pytest.TempPathFactory, trained_file: Path) -> Path:
    return write(trained_file, tmp_path_factory.mktemp("variants"))


def pictures(path: Path) -> list[NDArray[np.float64]]:
    session = exported.load(path, 1)
    results = []
    for size in SIZES:
        alpha = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        result = exported.stylize(session, Picture(golden.picture(*size), alpha))
        np.testing.assert_array_equal(result.alpha, alpha)
        results.append(result.rgb.astype(np.float64))
    return results


def test_what_the_variants_cost(trained_file: Path, made: Path) -> None:
    expected = pictures(trained_file)
    for name, largest, psnr in (
        ("model.fp16.onnx", 2, 55),
        ("model.int8.onnx", 255, 40),
        ("model.ort", 1, 65),
        ("model.int8.ort", 255, 40),
    ):
        for result, full in zip(pictures(made / name), expected, strict=True):
            assert np.abs(result - full).max() <= largest
            assert 10 * np.log10(255**2 / max(np.square(result - full).mean(), 1e-9)) >= psnr


@pytest.mark.parametrize(("variant", "share"), [("fp16", 0.56), ("int8", 0.36)])
def test_only_the_large_weights_are_stored_in_fewer_bits(trained_file: Path, variant: str, share: float) -> None:
    model = onnx.load(trained_file)
    before = model.SerializeToString(deterministic=True)
    stored = STORES[variant](model)
    assert model.SerializeToString(deterministic=True) == before
    assert len(stored.SerializeToString()) < share * len(before)
    onnx.checker.check_model(stored, full_check=True)
    assert [(entry.domain, entry.version) for entry in stored.opset_import] == [("", 18)] and stored.ir_version == 8
    properties = [{item.key: item.value for item in m.metadata_props} for m in (model, stored)]
    assert properties[1] == properties[0] | {"variant": variant} and properties[0]["variant"] == "fp32"
    full, kept = ({tensor.name: tensor for tensor in m.graph.initializer} for m in (model, stored))
    convolutions = {name for name, tensor in full.items() if len(tensor.dims) == 4}
    kinds = {TensorProto.FLOAT16: "fp16", TensorProto.INT8: "int8"}
    assert {name for name, tensor in kept.items() if tensor.data_type in kinds} == {
        f"{name}.{'fp16' if name == 'conv0.weight' else variant}" for name in convolutions
    }
    assert all(name.endswith(kinds[tensor.data_type]) for name, tensor in kept.items() if tensor.data_type in kinds)
    assert all(kept[name] == tensor for name, tensor in full.items() if name not in convolutions)


def test_int8_is_symmetric_with_a_scale_for_each_channel(trained_file: Path) -> None:
    weight = next(tensor for tensor in onnx.load(trained_file).graph.initializer if tensor.name == "conv1.weight")
    values = numpy_helper.to_array(weight).copy()
    values[1] = 0
    model = onnx.load(trained_file)
    next(tensor for tensor in model.graph.initializer if tensor.name == "conv1.weight").raw_data = values.tobytes()
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in variants.int8_stored(model).graph.initializer}
    whole, scale = stored["conv1.weight.int8"], stored["conv1.weight.scale"]
    assert scale.shape == (values.shape[0],) and np.isfinite(scale).all() and (scale > 0).all()
    assert (np.abs(whole).max(axis=(1, 2, 3)) == np.where(np.arange(len(scale)) == 1, 0, 127)).all()
    assert (np.abs(whole * scale[:, None, None, None] - values) <= 0.501 * scale[:, None, None, None]).all()


def test_the_same_bytes_again_and_no_path(trained_file: Path, made: Path, tmp_path: Path) -> None:
    again = write(trained_file, tmp_path)
    names = sorted(path.name for path in made.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names and len(names) == 6
    for name in names:
        data = (made / name).read_bytes()
        assert data == (again / name).read_bytes()
        places = [str(Path.home()), str(Path.cwd()), sys.prefix, str(made), "/tmp", "site-packages", "/onnxruntime/"]
        assert [place for place in places if place.encode() in data] == []
    lines = (made / "model.required_operators.config").read_text().splitlines()
    assert all(line.count(";") == 2 for line in lines) and any("Conv" in line for line in lines)


@pytest.mark.parametrize("name", ["model.fp16.onnx", "model.int8.onnx", "model.ort", "model.int8.ort"])
def test_strength_and_card_stay(trained_file: Path, made: Path, name: str) -> None:
    session, picture = exported.load(made / name, 1), Picture(golden.picture(33, 50))
    assert exported.card(session) == exported.card(exported.load(trained_file)) != {}
    np.testing.assert_array_equal(exported.stylize(session, picture, 0).rgb, picture.rgb)
    full = exported.stylize(session, picture).rgb.astype(float)
    assert np.abs(exported.stylize(session, picture, 0.5).rgb - (full + picture.rgb) / 2).max() <= 1


def test_a_converter_that_fails_is_one_sentence(
    trained_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = tmp_path / "model.ort", tmp_path / "model.config"
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(
        CheckError, match=r"text\.onnx could not be converted to model\.ort: .*; keep to the tested"
    ) as error:
        variants.write_ort(tmp_path / "text.onnx", *targets)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)

    def silent(*arguments: Any) -> SimpleNamespace:
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(ort_tools, "run", silent)
    with pytest.raises(CheckError, match="it wrote nothing"):
        variants.write_ort(trained_file, *targets)
    assert not any(target.exists() for target in targets)
