import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed
from impasto.export.contract import ImageSize, ModelArtifact
from impasto.export.litert.format import LiteRtFormat
from impasto.export.litert.runtime import LiteRtCpu
from impasto.models import transform_net
from tests.helpers.bundles import artifact
from tests.helpers.networks import LABEL

FORM = LiteRtFormat()
LINE = ("checkpoint=x", "output=y")


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, trained: transform_net.TransformNet
) -> tuple[Path, ModelArtifact]:
    """A folder with the file of the trained network, and its description."""
    folder = tmp_path_factory.mktemp("bundle")
    config = compose("export", [*LINE, "litert.sizes=[96x64,64]", "parity.litert=3"])
    (model,) = FORM.exporter(config, LABEL).export(trained, folder).models
    return folder, model


def test_exporter_describes_the_file(exported: tuple[Path, ModelArtifact]) -> None:
    folder, model = exported
    assert (folder / "android" / "model.tflite").is_file()
    assert (model.file, model.format, model.weights) == ("android/model.tflite", "litert", "fp16")
    assert model.functions == {"size_96x64": ImageSize(96, 64), "size_64x64": ImageSize(64, 64)}
    assert model.tolerance.max_difference == 3


def test_exporter_without_sizes_writes_nothing(trained: transform_net.TransformNet, tmp_path: Path) -> None:
    written = FORM.exporter(compose("export", [*LINE, "litert.sizes=[]"]), LABEL).export(trained, tmp_path)
    assert (written.models, written.descriptions, [*tmp_path.iterdir()]) == ([], {}, [])


def test_check_passes_what_the_exporter_wrote_and_leaves_other_formats(exported: tuple[Path, ModelArtifact]) -> None:
    folder, model = exported
    assert FORM.check(folder, model)
    assert not FORM.check(folder, artifact(folder / "model.onnx"))


@pytest.mark.parametrize(
    "change",
    [
        lambda model: replace(model, functions={"size_96x64": ImageSize(96, 64)}),
        lambda model: replace(model, functions=model.functions | {"size_64x64": ImageSize(64, 68)}),
        lambda model: replace(
            model, contract=replace(model.contract, output=replace(model.contract.output, name="image"))
        ),
        lambda model: replace(
            model, contract=replace(model.contract, output=replace(model.contract.output, type="float32"))
        ),
    ],
)
def test_check_of_another_contract_fails(exported: tuple[Path, ModelArtifact], change: object) -> None:
    folder, model = exported
    assert callable(change)
    with pytest.raises(CheckFailed, match=r"^android/model\.tflite has .* where the manifest promises"):
        FORM.check(folder, change(model))


@pytest.mark.parametrize(("data", "words"), [(b"torn", "is not a .tflite file"), (None, "is damaged")])
def test_check_of_a_broken_file_fails(
    exported: tuple[Path, ModelArtifact], tmp_path: Path, data: bytes | None, words: str
) -> None:
    folder, model = exported
    whole = (folder / model.file).read_bytes()
    (tmp_path / "android").mkdir()
    (tmp_path / model.file).write_bytes(data or b"\xff" * 4 + whole[4:])
    with pytest.raises(CheckFailed, match=rf"^android/model\.tflite {words}"):
        FORM.check(tmp_path, model)
    for size in range(8, len(whole), len(whole) // 50):
        (tmp_path / model.file).write_bytes(whole[:size])
        with pytest.raises(CheckFailed, match=r"is damaged|where the manifest promises"):
            FORM.check(tmp_path, model)


def test_runtime_runs_the_signature_of_each_image_and_prints_nothing(
    exported: tuple[Path, ModelArtifact], capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = LiteRtCpu()
    assert runtime.missing() is None and runtime.name.startswith("LiteRT 2.")
    images = [np.full((*size, 4), 200, np.uint8) for size in ((64, 64), (64, 96), (64, 64))]
    outputs = runtime.run(*exported, images)
    assert [output.shape for output in outputs] == [image.shape for image in images]
    np.testing.assert_array_equal(outputs[0], outputs[2])
    assert capfd.readouterr() == ("", "")


def test_runtime_of_a_broken_file_raises_one_sentence(exported: tuple[Path, ModelArtifact], tmp_path: Path) -> None:
    (tmp_path / "android").mkdir()
    (tmp_path / "android" / "model.tflite").write_bytes(b"torn")
    with pytest.raises(CheckFailed, match=r"^android/model\.tflite does not run in LiteRT 2.*") as caught:
        LiteRtCpu().run(tmp_path, exported[1], [np.zeros((64, 64, 4), np.uint8)])
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_runtime_without_litert_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert LiteRtCpu().missing() == 'running .tflite files needs LiteRT; install it by pip install "impasto[litert]"'
