from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.configs.errors import CheckError, RequestError
from impasto.export import coreml_file, half, interpreter
from impasto.export.golden import Pixels, picture
from impasto.export.label import Label
from impasto.models import networks
from tests.export.conftest import CARD, SHAPES, Build

Packages = tuple[Path, dict[str, coreml_file.Package]]


def expected(network: networks.Transformer, rgb: Pixels) -> np.ndarray:
    with torch.inference_mode():
        stylized = network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
    return stylized[0].permute(1, 2, 0).round().clamp(0, 255).numpy()


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(20 * np.log10(255) - 10 * np.log10(np.square(one.astype(float) - other).mean() + 1e-12))


def test_packages_against_pytorch(packages: Packages, trained: networks.Transformer) -> None:
    folder, made = packages
    for name, package in made.items():
        for function, shape in package.functions.items():
            program, rgb = interpreter.load(folder / name, function), picture(*shape)
            truth = expected(trained, rgb)
            if package.weights == "fp16":
                assert np.abs(program(rgb) - truth).max() <= 1
            least = {"fp16": 50, "int8": 40}[package.weights]
            assert psnr(program(rgb, "fp16"), truth) >= least, (name, function)


def test_functions_give_what_single_packages_give(packages: Packages) -> None:
    folder, _ = packages
    for height, width in SHAPES:
        rgb = picture(height, width)
        several = interpreter.load(folder / coreml_file.IOS18, f"size_{width}x{height}")
        one = interpreter.load(folder / f"Model_{width}x{height}.mlpackage")
        np.testing.assert_array_equal(several(rgb, "fp16"), one(rgb, "fp16"))


def test_extreme_pictures_in_fp16(packages: Packages, trained: networks.Transformer) -> None:
    folder, _ = packages
    program = interpreter.load(folder / "Model_128x128.mlpackage")
    for rgb in half.calibration():
        rgb = np.ascontiguousarray(rgb[64:192, 64:192])
        assert np.abs(program(rgb, "fp16") - expected(trained, rgb)).max() <= 3


def test_the_other_network(build: Build, tmp_path: Path) -> None:
    network, path = build("johnson"), tmp_path / "Model.mlpackage"
    coreml_file.write(network, path, 64, 96, Label.of(CARD))
    assert np.abs(interpreter.load(path)(picture(64, 96)) - expected(network, picture(64, 96))).max() <= 1


def test_overflow_is_named_and_a_rescaled_network_has_none(exploding: networks.Transformer, tmp_path: Path) -> None:
    rgb, label = picture(64, 96), Label.of(CARD)
    coreml_file.write(exploding, tmp_path / "Model.mlpackage", 64, 96, label)
    program = interpreter.load(tmp_path / "Model.mlpackage")
    assert np.abs(program(rgb, "fp32") - expected(exploding, rgb)).max() <= 1
    with pytest.raises(CheckError, match=r"^Model\.mlpackage: overflow in fp16 at \w*conv\w*$"):
        program(rgb, "fp16")
    coreml_file.write_all(exploding, tmp_path, [(64, 96)], label)
    safe = interpreter.load(tmp_path / "Model_96x64.mlpackage")
    assert psnr(safe(rgb, "fp16"), expected(exploding, rgb)) >= 50


def test_what_it_does_not_take_is_one_sentence(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match=r"has no function size_96x64; it has main$"):
        interpreter.load(package, "size_96x64")
    with pytest.raises(RequestError, match=r"takes uint8 \[64, 96, 3\] in main, not uint8 \[96, 64, 3\]$"):
        interpreter.load(package)(picture(96, 64))
    with pytest.raises(RequestError, match="precision=bf16 is not known"):
        interpreter.load(package)(picture(64, 96), "bf16")
    monkeypatch.delitem(interpreter._OPERATIONS, "sigmoid")
    with pytest.raises(CheckError, match=r"^Model\.mlpackage has the operation sigmoid, .* not Apple's runtime"):
        interpreter.load(package)


def test_core_ml_runs_where_there_is_one(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert all("not Apple's runtime" in name for name in interpreter.runtimes(package))
    monkeypatch.setattr("sys.platform", "darwin")
    assert [*interpreter.runtimes(package)][-1] == "Core ML"
