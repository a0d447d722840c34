import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from impasto.configs.errors import CheckError, RequestError
from impasto.configs.shipping import CoreMLConfig, ExportConfig, OnnxConfig
from impasto.export import bundle, coreml_file, onnx_file, parity
from impasto.models.exported import stylize
from impasto.models.pictures import Picture
from tests.conftest import Run
from tests.export.conftest import Build, Written

FILES = [
    "README.md",
    "android/model.onnx",
    "ios/Model.mlpackage/Data/com.apple.CoreML/model.mlmodel",
    "ios/Model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
    "ios/Model.mlpackage/Manifest.json",
]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def export(
    monkeypatch: pytest.MonkeyPatch, saved: Path, written: Written, package: Path
) -> Callable[..., bundle.Manifest]:
    """Write a bundle of files that were converted and compared before."""
    files = {io: written("mobile", io) for io in ("pixels", "float")}

    def copy_onnx(network: object, path: Path, io: str, label: object) -> None:
        shutil.copyfile(files[io], path)

    def copy_coreml(network: object, path: Path, *arguments: object) -> None:
        shutil.copytree(package, path)

    monkeypatch.setattr(parity, "check", lambda *arguments: [parity.Row(64, 96, 1, 0.1, 0.1)])
    monkeypatch.setattr(onnx_file, "write", copy_onnx)
    monkeypatch.setattr(coreml_file, "write", copy_coreml)

    def call(output: Path, checkpoint: Path = saved, io: str = "pixels") -> bundle.Manifest:
        config = ExportConfig(str(checkpoint), str(output), OnnxConfig(io, 2), CoreMLConfig(64, 96))
        return bundle.write(config, lambda line: None)

    return call


def test_the_command(exported: tuple[Path, Run]) -> None:
    folder, done = exported
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("android/model.onnx", "ios/Model.mlpackage", "256x256", "90x16", "of 255", "made/swirls is complete"):
        assert words in done.stdout
    assert [path.name for path in folder.parent.iterdir()] == ["swirls"]


def test_manifest(exported: tuple[Path, Run], saved: Path) -> None:
    folder, _ = exported
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == bundle.FORMAT
    assert sorted(manifest["files"]) == FILES
    assert sorted(path for path, data in contents(folder).items() if data) == sorted([*FILES, "manifest.json"])
    for name, facts in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert facts == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert manifest["style"] == {"name": "swirls", "artist": "Ünal", "licence": "CC0-1.0"}
    assert manifest["checkpoint"]["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert manifest["checkpoint"]["card"]["training"] == {"steps": 7}
    assert {"impasto", "torch"} < set(manifest["versions"])
    contract = manifest["android"]["contract"]
    assert (contract["input"]["type"], contract["input"]["shape"]) == ("uint8", [1, "height", "width", 4])
    assert manifest["ios"]["contract"]["input"]["shape"] == [64, 96]
    rows = manifest["android"]["parity"]["rows"]
    assert [(row["height"], row["width"]) for row in rows] == list(parity.SIZES)
    assert all(row["largest"] <= manifest["android"]["parity"]["tolerance"] == 2 for row in rows)


@pytest.mark.parametrize("io", ["pixels", "float"])
def test_readme(export: Callable[..., Any], tmp_path: Path, io: str) -> None:
    manifest = export(tmp_path / "swirls", io=io)
    text = (tmp_path / "swirls" / "README.md").read_text()
    for side in ("android", "ios"):
        assert f"`{manifest[side]['file']}`" in text
    assert "96x64" in text
    assert "Style by Ünal; licence of the style: CC0-1.0" in text
    assert ("uint8 [1, height, width, 4]" in text) == ("OnnxJavaType.UINT8" in text) == (io == "pixels")
    assert ("float32 [1, 3, height, width]" in text) == ("floatBuffer" in text) == (io == "float")
    telemetry, start = text.index("ORT_DISABLE_TELEMETRY"), text.index("OrtEnvironment.getEnvironment")
    assert text.index("TelemetryInitializer") < telemetry < start
    assert "{" not in text.replace("${applicationId}", "").replace("use { it.", "").replace(".use {", "")


@pytest.mark.parametrize("error", [RuntimeError("no converter"), CheckError("weights"), KeyboardInterrupt()])
@pytest.mark.parametrize("earlier", [True, False])
def test_whole_or_not_at_all(
    export: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: BaseException,
    earlier: bool,
) -> None:
    output = tmp_path / "deep" / "swirls"
    if earlier:
        export(output)
    before = contents(tmp_path)

    def fail(network: object, path: Path, *arguments: object) -> None:
        path.mkdir()
        (path / "half").write_text("half")
        raise error

    monkeypatch.setattr(coreml_file, "write", fail)
    with pytest.raises(type(error)):
        export(output)
    assert contents(tmp_path) == before
    assert bool(before) == earlier


def test_a_full_disk_is_one_sentence(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(coreml_file, "write", fail)
    with pytest.raises(RequestError, match="swirls cannot be written: No space left on device"):
        export(tmp_path / "swirls")
    assert contents(tmp_path) == {}


def test_an_earlier_bundle_is_replaced(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "swirls"
    output.mkdir()  # an empty folder is free
    export(output)
    fresh = contents(output)
    manifest = json.loads((output / "manifest.json").read_text())
    (output / "golden").mkdir()
    (output / "golden" / "old.png").write_bytes(b"old")
    (output / ".DS_Store").write_bytes(b"droppings")
    manifest["files"]["golden/old.png"] = {}
    (output / "manifest.json").write_text(json.dumps(manifest))
    old = contents(output)

    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(1, "Operation not permitted")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(RequestError, match="Operation not permitted"):
            export(output)
    assert contents(tmp_path) == {"swirls": b""} | {f"swirls/{name}": data for name, data in old.items()}

    export(output)
    assert contents(output).keys() == fresh.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["swirls"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"holiday.jpg": "a photo"}, "holds other things"),
        ({"manifest.json": "{}"}, "holds other things"),
        ({"manifest.json": "[1]"}, "holds other things"),
        ({"manifest.json": "not json"}, "holds other things"),
        ({"manifest.json": '{"format": "another", "files": {}}'}, "holds other things"),
        ({"manifest.json": '{"format": "impasto-bundle-1", "files": {}}', "notes.txt": "mine"}, "holds notes.txt"),
    ],
)
def test_a_foreign_folder_is_refused(
    export: Callable[..., Any], tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    output = tmp_path / "folder"
    output.mkdir()
    for name, text in files.items():
        (output / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(RequestError, match=sentence) as error:
        export(output)
    assert f"output={output}" in str(error.value) and "\n" not in str(error.value)
    assert contents(tmp_path) == before


def test_a_file_or_what_lies_below_one_is_refused(export: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for output in (file, file / "swirls"):
        with pytest.raises(RequestError, match=r"is a file; name a folder|cannot be written: Not a directory"):
            export(output)
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("kind", ["pickle.pth", "garbage", "cut", "foreign", "missing"])
def test_a_wrong_checkpoint_is_one_sentence(export: Callable[..., Any], saved: Path, tmp_path: Path, kind: str) -> None:
    source = tmp_path / (kind if "." in kind else f"{kind}.safetensors")
    if kind == "foreign":
        save_file({"a": torch.zeros(1)}, source)
    elif kind != "missing":
        data = {"pickle.pth": b"\x80\x04K\x01.", "garbage": b"hello", "cut": saved.read_bytes()[:2000]}
        source.write_bytes(data[kind])
    with pytest.raises(RequestError) as error:
        export(tmp_path / "made" / "swirls", source)
    assert source.name in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("io", ["pixels", "float"])
def test_another_network_fails_parity(written: Written, build: Build, io: str) -> None:
    network = build("mobile")
    with torch.no_grad():
        network.get_parameter("body.5.1.bias").add_(0.5)
    with pytest.raises(CheckError, match=r"by up to \d+ of 255 at 33x17, .* onnx\.tolerance=2") as error:
        parity.check(written("mobile", io), network, OnnxConfig(io, 2), [(17, 33)])
    assert "\n" not in str(error.value)


def test_no_numbers_and_other_alpha_fail(written: Written, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    path, network = written("mobile", "pixels"), build("mobile")

    def opaque(session: Any, picture: Picture) -> Picture:
        result = stylize(session, picture)
        return Picture(result.rgb, np.full_like(result.rgb[..., 0], 255))

    with monkeypatch.context() as patch:
        patch.setattr("impasto.models.exported.stylize", opaque)
        with pytest.raises(CheckError, match="changes the alpha"):
            parity.check(path, network, OnnxConfig("pixels", 255))
    with torch.no_grad():
        network.get_parameter("body.5.1.bias")[0] = torch.nan
    with pytest.raises(CheckError, match="no numbers"):
        parity.check(path, network, OnnxConfig("pixels", 255))
