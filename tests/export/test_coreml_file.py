import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from impasto.configs.errors import CheckError
from impasto.export import coreml_file
from impasto.export.quiet import quiet
from tests.conftest import Run
from tests.export.conftest import Build

with quiet():
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load


@pytest.fixture(scope="module")
def spec(package: Path) -> Any:
    return ct.models.MLModel(str(package), skip_model_load=True).get_spec()


def test_interface(spec: Any) -> None:
    assert spec.specificationVersion == 7
    assert spec.WhichOneof("Type") == "mlProgram"
    for name, values in (("image", spec.description.input), ("stylized", spec.description.output)):
        (value,) = values
        image = value.type.imageType
        assert value.name == name
        assert (image.height, image.width) == (64, 96)
        assert image.ColorSpace.Name(image.colorSpace) == "RGB"


def test_says_what_it_is(spec: Any) -> None:
    metadata = spec.description.metadata
    assert "Ünal" in metadata.author
    assert metadata.license == "CC0-1.0"
    assert "swirls" in metadata.shortDescription
    assert metadata.versionString
    assert not any("date" in key for key in metadata.userDefined)


def test_computes_in_fp16_on_normalised_pixels(package: Path, spec: Any) -> None:
    weights = str(package / "Data" / "com.apple.CoreML" / "weights")
    program = load(spec, specification_version=7, file_weights_dir=weights)
    operations = [op for op in program.functions["main"].operations if op.op_type != "const"]
    kinds = [op.op_type for op in operations]
    assert kinds[:5] == ["cast", "mul", "sub", "pad", "conv"]
    scale = next(value.val for value in (operations[1].x, operations[1].y) if value.val is not None)
    np.testing.assert_allclose(scale, 1 / 127.5, rtol=1e-3)
    for op in operations:
        assert op.op_type == "cast" or op.outputs[0].dtype == ct.converters.mil.mil.types.fp16
    assert kinds.count("instance_norm") == 6
    norms = [op for op in operations if op.op_type == "instance_norm"]
    assert all(op.epsilon.val > np.finfo(np.float16).smallest_normal for op in norms)


def test_holds_its_manifest_s_files_and_no_other(package: Path) -> None:
    items = json.loads((package / "Manifest.json").read_text())["itemInfoEntries"].values()
    listed = [package / "Data" / item["path"] for item in items]
    for path in package.rglob("*"):
        if path.is_file() and path.name != "Manifest.json":
            assert any(path.is_relative_to(item) for item in listed), path
            assert path.stat().st_mode == (package / "Manifest.json").stat().st_mode
    assert all(item.exists() for item in listed)


def test_the_same_bytes_again_in_another_process(package: Path, exported: tuple[Path, Run]) -> None:
    other = exported[0] / "ios" / "Model.mlpackage"
    names = [path.relative_to(package) for path in package.rglob("*") if path.is_file()]
    assert len(names) == 3
    for name in names:
        assert (package / name).read_bytes() == (other / name).read_bytes(), name


def test_a_package_that_is_not_as_promised_fails(package: Path, build: Build, tmp_path: Path) -> None:
    network = build("mobile")
    coreml_file.check(network, package, 64, 96)
    with pytest.raises(CheckError, match="image, 64x96, is promised"):
        coreml_file.check(network, package, 96, 64)
    with torch.no_grad():
        network.get_parameter("body.1.1.bias")[3] += 0.1
    with pytest.raises(CheckError, match=r"does not hold the weights body\.1\.1\.bias"):
        coreml_file.check(network, package, 64, 96)
    copy = tmp_path / "Model.mlpackage"
    shutil.copytree(package, copy)
    manifest = copy / "Manifest.json"
    manifest.write_text(manifest.read_text().replace("CoreML Model Weights", str(Path.cwd() / "weights")))
    with pytest.raises(CheckError, match=r"Manifest\.json names .*, a path of this machine"):
        coreml_file.check(build("mobile"), copy, 64, 96)
