"""ONNX Runtime QNN on the emulator of Qualcomm's NPU."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.model import ModelConfig
from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph import artifacts
from impasto.export.onnx_graph.contracts import NPU_FILE
from impasto.export.onnx_graph.format import OnnxFormat
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.export.test_images import picture
from impasto.export.validation.ort_qnn import Qnn
from impasto.models import onnx_writer, transform_net
from tests.helpers.bundles import artifact
from tests.helpers.heavy import missing
from tests.helpers.networks import LABEL

SIZE = (64, 96)


@pytest.fixture
def runtime() -> Qnn:
    """The runtime; the test is skipped where it is missing."""
    result = Qnn()
    if (sentence := result.missing()) is not None:
        missing(sentence)
    return result


@pytest.fixture
def exported(trained: transform_net.TransformNet, tmp_path: Path) -> tuple[Path, ModelArtifact]:
    """A folder with the file for the NPU of the trained network, and its description."""
    (tmp_path / NPU_FILE).parent.mkdir()
    limits = compose("export", ["checkpoint=x", "output=y", "parity.qnn=7"]).parity
    return tmp_path, artifacts._write_npu(trained, tmp_path, SIZE, LABEL, limits)


@pytest.mark.heavy
def test_run_takes_the_whole_graph_and_matches_onnx_runtime(
    runtime: Qnn, exported: tuple[Path, ModelArtifact], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, model = exported
    image = np.dstack([picture(*SIZE), np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)])
    (output,), (expected,) = (each.run(folder, model, [image]) for each in (runtime, OnnxRuntime()))
    assert expected.std() > 10 and np.abs(expected.astype(int) - output[..., :3]).max() <= 2
    np.testing.assert_array_equal(output[..., 3], image[..., 3])
    assert runtime.name.startswith("ONNX Runtime QNN 2.") and capfd.readouterr() == ("", "")


@pytest.mark.heavy
def test_run_refuses_the_byte_file(runtime: Qnn, trained: transform_net.TransformNet, tmp_path: Path) -> None:
    """Without strict mode it would run, and silently return wrong bytes."""
    path = tmp_path / "model.onnx"
    onnx_writer.write(trained, path, "uint8_rgba", LABEL, SIZE)
    with pytest.raises(CheckFailed, match=r"^model\.onnx in ONNX Runtime QNN .* failed: .*fallback") as caught:
        runtime.run(tmp_path, artifact(path), [np.zeros((*SIZE, 4), np.uint8)])
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_exporter_describes_the_file(exported: tuple[Path, ModelArtifact]) -> None:
    folder, model = exported
    assert OnnxFormat().check(folder, model) and Qnn().supports(model)
    (image,) = model.contract.inputs
    assert (image.type, image.shape, model.weights) == ("float32", (1, 3, *SIZE), "fp16")
    assert model.tolerance.max_difference == 2 and model.tolerance_in("qnn").max_difference == 7
    assert not Qnn().supports(artifact(folder / "model.onnx"))


def test_exporter_writes_the_same_bytes_with_weights_that_are_normal_in_fp16(
    exported: tuple[Path, ModelArtifact], trained: transform_net.TransformNet
) -> None:
    folder, _ = exported
    before = (folder / NPU_FILE).read_bytes()
    artifacts._write_npu(trained, folder, SIZE, LABEL, compose("export", ["checkpoint=x", "output=y"]).parity)
    assert (folder / NPU_FILE).read_bytes() == before
    tensors = map(onnx.numpy_helper.to_array, onnx.load_from_string(before).graph.initializer)
    halves = np.concatenate([values.ravel() for values in tensors if values.dtype == np.float16])
    assert halves.size > 1000 and (np.abs(halves[halves != 0]) < 2.0**-14).mean() < 0.01


def test_exporter_of_a_size_that_needs_padding_names_the_multiple(tmp_path: Path) -> None:
    network = transform_net.build(ModelConfig("mobile", 0.25, 2, 1)).eval()
    config = compose("export", ["checkpoint=x", "output=y", "onnx.npu_size=100x64"])
    with pytest.raises(UsageError, match=r"^onnx\.npu_size: 100x64 would need padding.*choose multiples of 8 for this"):
        OnnxFormat().exporter(config, LABEL).export(network, tmp_path)


def test_missing_says_where_it_runs_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", None)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert Qnn().missing() == (
        'the emulator of Qualcomm\'s NPU needs ONNX Runtime QNN; install it by pip install "impasto[qnn]"'
    )
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert Qnn().missing() == "the emulator of Qualcomm's NPU runs on Linux on x86-64 only"
