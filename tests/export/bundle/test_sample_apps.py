import json
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import UsageError
from impasto.export.bundle import sample_apps
from impasto.models.contract import Label

LABEL = Label("The Great Wave!", "Hokusai", "CC0-1.0", "0.1.0", "")
LINE = ["checkpoint=x", "output=y", "sample=true"]
STYLES = "samples/android/app/src/main/assets/styles"


def _bundle(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_write_puts_the_models_and_the_name_of_the_style_into_both_apps(tmp_path: Path) -> None:
    models = "android/model.onnx", "android/model.int8.onnx", "android/model.tflite"
    packages = [
        f"ios/Model_{name}.mlpackage/Manifest.json" for name in ("256x256", "768x1024", "256x256_int8", "ios18")
    ]
    bundle = _bundle(tmp_path, *models, *packages, "ios/StyleTransfer.swift")
    sample_apps.write(bundle, LABEL)
    style = bundle / STYLES / "the_great_wave"
    assert {path.name: path.read_text() for path in style.iterdir()} == {
        "model.onnx": "android/model.int8.onnx",
        "model.tflite": "android/model.tflite",
        "name.txt": "The Great Wave!\n",
    }
    styles = bundle / "samples/ios/StyleTransferSample/Styles"
    assert json.loads((styles / "styles.json").read_text()) == [{"id": "the_great_wave", "name": "The Great Wave!"}]
    names = {path.name for path in styles.glob("*.mlpackage")}
    assert names == {"the_great_wave_256x256.mlpackage", "the_great_wave_768x1024.mlpackage"}
    project = (bundle / "samples/android/settings.gradle.kts").read_text()
    assert (bundle / "samples/android" / project.split('projectDir = file("')[1].split('"')[0]).resolve() == (
        bundle / "android"
    )


def test_write_without_core_ml_packages_leaves_out_the_app_for_ios(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path, "android/model.onnx")
    sample_apps.write(bundle, LABEL)
    assert not (bundle / "samples/ios").exists()
    style = bundle / STYLES / "the_great_wave"
    assert {path.name for path in style.iterdir()} == {"model.onnx", "name.txt"}


def test_sample_of_files_of_floats_is_refused() -> None:
    assert compose("export", LINE).sample is True
    with pytest.raises(UsageError, match=r"sample=true needs files of RGBA bytes, but onnx\.io=float32_rgb"):
        compose("export", [*LINE, "onnx.io=float32_rgb"])
