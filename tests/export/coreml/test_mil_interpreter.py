import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export import fp16_rescale
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.coreml import exporter, mil_interpreter, runtime
from impasto.export.coreml.contracts import COREML, coreml_contract
from impasto.export.test_images import Pixels, picture
from impasto.models import transform_net
from tests.helpers.networks import LABEL, SHAPES, Build

Packages = tuple[Path, dict[str, exporter.Package]]


def expected(network: transform_net.TransformNet, rgb: Pixels) -> np.ndarray:
    with torch.inference_mode():
        stylized = network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
    return stylized[0].permute(1, 2, 0).round().clamp(0, 255).numpy()


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(20 * np.log10(255) - 10 * np.log10(np.square(one.astype(float) - other).mean() + 1e-12))


def test_program_of_each_package_matches_pytorch(packages: Packages, trained: transform_net.TransformNet) -> None:
    folder, by_name = packages
    for name, package in by_name.items():
        for function, shape in package.functions.items():
            program, rgb = mil_interpreter.load(folder / name, function), picture(*shape)
            truth = expected(trained, rgb)
            if package.weights == "fp16":
                assert np.abs(program(rgb) - truth).max() <= 1
            least = {"fp16": 50, "int8": 40}[package.weights]
            assert psnr(program(rgb, "fp16"), truth) >= least, (name, function)


def test_program_of_a_function_matches_the_package_of_its_size(packages: Packages) -> None:
    folder, _ = packages
    for height, width in SHAPES:
        rgb = picture(height, width)
        several = mil_interpreter.load(folder / exporter.IOS18, f"size_{width}x{height}")
        one = mil_interpreter.load(folder / f"Model_{width}x{height}.mlpackage")
        np.testing.assert_array_equal(several(rgb, "fp16"), one(rgb, "fp16"))


def test_program_in_fp16_on_extreme_images_matches_pytorch(
    packages: Packages, trained: transform_net.TransformNet
) -> None:
    folder, _ = packages
    program = mil_interpreter.load(folder / "Model_128x128.mlpackage")
    for rgb in fp16_rescale.calibration_images():
        rgb = np.ascontiguousarray(rgb[64:192, 64:192])
        assert np.abs(program(rgb, "fp16") - expected(trained, rgb)).max() <= 3


def artifact(name: str) -> ModelArtifact:
    """Describe a package of one size."""
    functions = {"main": ImageSize(96, 64)}
    return ModelArtifact(name, COREML, "fp16", coreml_contract(False), Tolerance(min_psnr=50.0), functions, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["johnson", "studio"])
def test_program_of_other_networks_matches_pytorch(name: str, build: Build, tmp_path: Path) -> None:
    network, path = build(name), tmp_path / "Model.mlpackage"
    exporter.write(network, path, 64, 96, LABEL)
    assert np.abs(mil_interpreter.load(path)(picture(64, 96)) - expected(network, picture(64, 96))).max() <= 1


@pytest.mark.slow
def test_program_of_passes_matches_pytorch_where_a_photo_is_smooth(build: Build, tmp_path: Path) -> None:
    rgb = np.repeat(np.linspace(60, 200, 160).astype(np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    rgb[:16, :16] = picture(16, 16)
    network, path = build("studio"), tmp_path / "Model.mlpackage"
    exporter.write(network, path, 96, 160, LABEL)
    once = copy.deepcopy(network)
    once.passes = 1
    assert np.abs(expected(once, rgb) - expected(network, rgb)).max() > 10
    assert np.abs(mil_interpreter.load(path)(rgb) - expected(network, rgb)).max() <= 1


@pytest.mark.slow
def test_program_of_an_overflowing_network_raises_unless_rescaled(
    exploding: transform_net.TransformNet, tmp_path: Path
) -> None:
    rgb, label = picture(64, 96), LABEL
    exporter.write(exploding, tmp_path / "Model.mlpackage", 64, 96, label)
    program = mil_interpreter.load(tmp_path / "Model.mlpackage")
    assert np.abs(program(rgb, "fp32") - expected(exploding, rgb)).max() <= 1
    with pytest.raises(CheckFailed, match=r"^Model\.mlpackage: overflow in fp16 at \w*conv\w*$"):
        program(rgb, "fp16")
    fp32, fp16 = (runtime.Interpreter(precision, {}) for precision in ("fp32", "fp16"))
    steps: list[str] = []
    fp32.preflight(tmp_path, [artifact("Model.mlpackage")], steps.append)
    assert steps == []
    with pytest.raises(CheckFailed, match=r"^Model\.mlpackage: overflow in fp16"):
        fp16.preflight(tmp_path, [artifact("Model.mlpackage")], steps.append)
    (step,) = steps
    assert step.endswith("runs Model.mlpackage on flat and saturated images")
    exporter.write_all(exploding, tmp_path, [(64, 96)], label)
    safe = mil_interpreter.load(tmp_path / "Model_96x64.mlpackage")
    assert psnr(safe(rgb, "fp16"), expected(exploding, rgb)) >= 50


def test_program_with_unsupported_input_raises_one_sentence(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"has no function size_96x64; it has main$"):
        mil_interpreter.load(package, "size_96x64")
    with pytest.raises(UsageError, match=r"takes uint8 \[64, 96, 3\] in main, not uint8 \[96, 64, 3\]$"):
        mil_interpreter.load(package)(picture(96, 64))
    with pytest.raises(UsageError, match="precision=bf16 is not known"):
        mil_interpreter.load(package)(picture(64, 96), "bf16")
    monkeypatch.delitem(mil_interpreter._OPERATIONS, "sigmoid")
    with pytest.raises(CheckFailed, match=r"^Model\.mlpackage has the operation sigmoid, .* not Apple's runtime"):
        mil_interpreter.load(package)


def test_runtimes_include_core_ml_on_a_mac_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert all("not Apple's runtime" in each.name for each in runtime.runtimes())
    monkeypatch.setattr("sys.platform", "darwin")
    assert [each.name for each in runtime.runtimes()][-1] == "Core ML"
