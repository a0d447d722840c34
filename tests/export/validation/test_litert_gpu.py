"""LiteRT's GPU accelerator on SwiftShader."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from impasto.configs.errors import CheckFailed
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.litert import network as operators
from impasto.export.litert import schema, writer
from impasto.export.litert.contracts import FILE, LITERT, litert_contract
from impasto.export.litert.runtime import LiteRtCpu
from impasto.export.test_images import picture
from impasto.export.validation import litert_gpu
from impasto.export.validation.litert_gpu import LiteRtGpu
from impasto.models import transform_net
from tests.helpers.heavy import missing
from tests.helpers.networks import LABEL

SIZES = [(64, 96), (64, 64)]
MODEL = ModelArtifact(
    *(FILE, LITERT, "fp16", litert_contract(), Tolerance(max_difference=1)),
    {f"size_{width}x{height}": ImageSize(width, height) for height, width in SIZES},
    None,
)


@pytest.fixture
def runtime() -> LiteRtGpu:
    """The runtime; the test is skipped where it is missing."""
    result = LiteRtGpu()
    if (sentence := result.missing()) is not None:
        missing(sentence)
    return result


@pytest.fixture
def folder(tmp_path: Path, trained: transform_net.TransformNet) -> Path:
    """A bundle's folder with the file of the trained network."""
    (tmp_path / FILE).parent.mkdir()
    writer.write(trained, tmp_path / FILE, SIZES, LABEL)
    return tmp_path


@pytest.mark.heavy
def test_run_matches_litert_on_the_cpu_and_keeps_alpha(
    runtime: LiteRtGpu, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    images = [np.dstack([picture(*size), random.integers(0, 256, size, np.uint8)]) for size in SIZES]
    outputs = runtime.run(folder, MODEL, images)
    for image, output, expected in zip(images, outputs, LiteRtCpu().run(folder, MODEL, images), strict=True):
        assert expected.std() > 10 and np.abs(expected.astype(int) - output).max() <= 1
        np.testing.assert_array_equal(output[..., 3], image[..., 3])
    assert runtime.name.startswith("LiteRT 2.") and capfd.readouterr() == ("", "")


@pytest.mark.heavy
def test_run_refuses_an_operator_on_the_cpu(
    runtime: LiteRtGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = transform_net.TransformNet(nn.Sequential(nn.Conv2d(3, 3, 2 * transform_net.BORDER + 1))).eval()
    (tmp_path / FILE).parent.mkdir()
    monkeypatch.setattr(operators, "ROUND", schema.Operator(13, 9))  # LOCAL_RESPONSE_NORMALIZATION
    writer.write(network, tmp_path / FILE, SIZES, LABEL)
    image = np.zeros((64, 96, 4), np.uint8)
    assert LiteRtCpu().run(tmp_path, MODEL, [image])[0].shape == image.shape
    with pytest.raises(CheckFailed, match=r"^android/model\.tflite in LiteRT .* failed: Some ops are not accelerated"):
        runtime.run(tmp_path, MODEL, [image])


@pytest.mark.heavy
def test_run_of_a_broken_file_raises_one_sentence(runtime: LiteRtGpu, tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"torn")
    with pytest.raises(CheckFailed, match=r"^android/model\.tflite in LiteRT .* failed: .*flatbuffer") as caught:
        runtime.run(tmp_path, MODEL, [np.zeros((64, 64, 4), np.uint8)])
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_missing_without_chromium_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_gpu, "_FOLDERS", (tmp_path,))
    sentence = LiteRtGpu().missing()
    assert sentence == (
        "no Vulkan device in software is installed; install chromium-headless-shell, which has SwiftShader"
    )
    for name in ("libvulkan.so.1", "vk_swiftshader_icd.json"):
        assert LiteRtGpu().missing() == sentence
        (tmp_path / name).touch()
    assert LiteRtGpu().missing() is None
    monkeypatch.setattr("sys.platform", "win32")
    assert LiteRtGpu().missing() == sentence
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    assert LiteRtGpu().missing() == 'running .tflite files needs LiteRT; install it by pip install "impasto[litert]"'
