import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from impasto.configs.errors import CheckFailed
from impasto.export import fp16_rescale
from impasto.export.coreml import exporter
from impasto.export.suppress_output import suppress_output
from impasto.models import network_blocks, transform_net
from tests.helpers.networks import LABEL, SHAPES, Build

Packages = tuple[Path, dict[str, exporter.Package]]

with suppress_output():
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load


@pytest.fixture(scope="module")
def spec(package: Path) -> Any:
    return ct.models.MLModel(str(package), skip_model_load=True).get_spec()


def test_write_produces_the_interface(spec: Any) -> None:
    assert spec.specificationVersion == 7
    assert spec.WhichOneof("Type") == "mlProgram"
    for name, values in (("image", spec.description.input), ("stylized", spec.description.output)):
        (value,) = values
        image = value.type.imageType
        assert value.name == name
        assert (image.height, image.width) == (64, 96)
        assert image.ColorSpace.Name(image.colorSpace) == "RGB"


def test_write_computes_in_fp16_on_normalized_pixels(package: Path, spec: Any) -> None:
    weights = str(package / "Data" / "com.apple.CoreML" / "weights")
    program = load(spec, specification_version=7, file_weights_dir=weights)
    operations = [op for op in program.functions["main"].operations if op.op_type != "const"]
    kinds = [op.op_type for op in operations]
    assert kinds[:6] == ["cast", "sub", "mul", "pad", "pad", "conv"]
    offset, scale = (next(value.val for value in (op.x, op.y) if value.val is not None) for op in operations[1:3])
    pixels = np.arange(256, dtype=np.float16)
    assert np.array_equal((pixels - offset) * scale, (np.arange(256) - 127.5) / 128)  # without rounding
    for op in operations:
        assert op.op_type == "cast" or op.outputs[0].dtype == ct.converters.mil.mil.types.fp16
    assert kinds.count("instance_norm") == 5
    norms = [op for op in operations if op.op_type == "instance_norm"]
    assert all(op.epsilon.val > np.finfo(np.float16).smallest_normal for op in norms)


def test_write_all_produces_every_package_with_metadata(packages: Packages) -> None:
    folder, by_name = packages
    assert sorted(path.name for path in folder.iterdir()) == sorted(by_name)
    assert {name: package.functions for name, package in by_name.items()} == {
        "Model_96x64.mlpackage": {"main": (64, 96)},
        "Model_96x64_int8.mlpackage": {"main": (64, 96)},
        "Model_128x128.mlpackage": {"main": (128, 128)},
        "Model_128x128_int8.mlpackage": {"main": (128, 128)},
        "Model_ios18.mlpackage": {"size_96x64": (64, 96), "size_128x128": (128, 128)},
    }
    size = {name: sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file()) for name in by_name}
    assert size["Model_96x64_int8.mlpackage"] < 0.8 * size["Model_96x64.mlpackage"]
    weights = Path("Data", "com.apple.CoreML", "weights", "weight.bin")  # shared by all sizes
    shared, single = (folder / f"Model_{name}.mlpackage" / weights for name in ("ios18", "128x128"))
    assert shared.stat().st_size <= single.stat().st_size
    for name, package in by_name.items():
        spec = ct.models.MLModel(str(folder / name), skip_model_load=True).get_spec()
        metadata = spec.description.metadata
        assert "Ünal" in metadata.author
        assert metadata.license == "unknown (network), CC0-1.0 (style)"
        assert "swirls" in metadata.shortDescription
        assert metadata.versionString
        assert not any("date" in key for key in metadata.userDefined)
        assert not {"stroke_resolution", "grain"} & {*metadata.userDefined}
        assert spec.specificationVersion == (9 if name == exporter.IOS18 else 7)
        if name == exporter.IOS18:
            assert package.functions[spec.description.defaultFunctionName] == (package.height, package.width)


def test_every_package_records_the_stroke_resolution_and_the_grain(build: Build, tmp_path: Path) -> None:
    label = replace(LABEL, stroke_resolution=768, grain=3.0)
    packages = exporter.write_all(build("mobile"), tmp_path, [(32, 48)], label)
    specs = [ct.models.MLModel(str(tmp_path / one.name), skip_model_load=True).get_spec() for one in packages]
    assert [spec.description.metadata.userDefined["stroke_resolution"] for spec in specs] == ["768"] * 3
    assert [spec.description.metadata.userDefined["grain"] for spec in specs] == ["3.0"] * 3


def test_write_all_in_another_process_gives_the_same_bytes(packages: Packages, tmp_path: Path) -> None:
    folder, _ = packages
    code = (
        "import sys; from pathlib import Path; from impasto.export.coreml import exporter\n"
        "from impasto.models import checkpoint\n"
        "from tests.helpers.networks import LABEL, SHAPES, TRAINED;"
        "exporter.write_all(checkpoint.load(TRAINED)[0], Path(sys.argv[1]), SHAPES, LABEL)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
    )
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(names) == 3 * (2 * len(SHAPES) + 1)
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_package_contains_exactly_the_files_of_its_manifest(package: Path) -> None:
    items = json.loads((package / "Manifest.json").read_text())["itemInfoEntries"].values()
    listed = [package / "Data" / item["path"] for item in items]
    for path in package.rglob("*"):
        if path.is_file() and path.name != "Manifest.json":
            assert any(path.is_relative_to(item) for item in listed), path
            assert path.stat().st_mode == (package / "Manifest.json").stat().st_mode
    assert all(item.exists() for item in listed)


def test_check_of_another_interface_or_network_raises(package: Path, build: Build, tmp_path: Path) -> None:
    network, functions = build("mobile"), {"main": (64, 96)}
    exporter.check(network, package, functions)
    with pytest.raises(CheckFailed, match="instead of an RGB image image of 64x96"):
        exporter.check(network, package, {"main": (96, 64)})
    with pytest.raises(CheckFailed, match=r"version 7, not an mlProgram of 9"):
        exporter.check(network, package, {"size_96x64": (64, 96)})
    norm = network.get_submodule("body.inner.0.1")
    assert isinstance(norm, network_blocks.InstanceNorm)
    norm.eps /= 4
    with pytest.raises(CheckFailed, match="does not contain the epsilons"):
        exporter.check(network, package, functions)
    with torch.no_grad():
        network.get_parameter("body.inner.0.1.bias")[3] += 0.1
    with pytest.raises(CheckFailed, match=r"does not contain the weights body\.inner\.0\.1\.bias"):
        exporter.check(network, package, functions)
    copy = tmp_path / "Model.mlpackage"
    shutil.copytree(package, copy)
    manifest = copy / "Manifest.json"
    manifest.write_text(manifest.read_text().replace("CoreML Model Weights", str(Path.cwd() / "weights")))
    with pytest.raises(CheckFailed, match=r"Manifest\.json contains .*, a path of this machine"):
        exporter.check(build("mobile"), copy, functions)


def test_check_of_other_int8_weights_raises(package: Path, build: Build, tmp_path: Path) -> None:
    network, small = build("mobile"), tmp_path / "small.mlpackage"
    exporter.compress(package, small, LABEL)
    exporter.check(network, small, {"main": (64, 96)}, "int8")
    with torch.no_grad():
        weight = network.get_parameter("body.inner.1.0.body.0.0.1.weight")
        weight[2, 1, 0, 0] += 0.02 * weight.abs().max()
    with pytest.raises(CheckFailed, match=r"does not contain the weights body\.inner\.1\.0\.body\.0\.0\.1\.weight"):
        exporter.check(network, small, {"main": (64, 96)}, "int8")


def test_check_of_other_functions_raises(packages: Packages, trained: transform_net.TransformNet) -> None:
    folder, by_name = packages
    functions = by_name[exporter.IOS18].functions
    safe = fp16_rescale.fp16_safe(trained, fp16_rescale.calibration_images())
    exporter.check(safe, folder / exporter.IOS18, functions)
    with pytest.raises(CheckFailed, match=r"has the functions size_96x64, size_128x128, not size_96x64$"):
        exporter.check(safe, folder / exporter.IOS18, {"size_96x64": (64, 96)})
