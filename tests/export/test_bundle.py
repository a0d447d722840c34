import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from impasto.configs.app import compose
from impasto.configs.errors import CheckError, RequestError
from impasto.export import bundle, contents, golden, proof, sealed
from impasto.export.contents import Contents
from impasto.export.guide import CALLERS
from impasto.export.manifest import FORMAT, MEASURED, Manifest
from impasto.export.parity import Bound, Row
from impasto.export.proof import Shipped
from impasto.export.runtimes import OnnxRuntime
from tests.conftest import Run
from tests.export.conftest import SETTINGS, Build, Written

ANDROID = ["model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.ort"]
PACKAGES = ["Model_96x64", "Model_96x64_int8", "Model_ios18"]


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def export(
    monkeypatch: pytest.MonkeyPatch, saved: Path, exported: tuple[Path, Run]
) -> Callable[..., tuple[Manifest, Contents]]:
    """Write a bundle of files that impasto-export converted and compared before."""
    folder, _ = exported
    manifest = sealed.read(folder / "manifest.json")
    android, ios = ([Shipped.of(facts) for facts in manifest[side]["models"]] for side in ("android", "ios"))
    rows = [Row(**facts | {"bound": Bound(**facts["bound"])}) for facts in manifest["parity"]]
    facts = {key: value for key, value in manifest["android"].items() if key != "models"}

    def copy(network: object, aside: Path, *arguments: object) -> Contents:
        for name in ("android", "ios", "golden"):
            shutil.copytree(folder / name, aside / name)
        return Contents(android, ios, rows, manifest["not_run"], facts, None)

    monkeypatch.setattr(contents, "fill", copy)

    def call(output: Path, checkpoint: Path = saved) -> tuple[Manifest, Contents]:
        config = compose("export", [f"checkpoint={checkpoint}", f"output={output}", *SETTINGS])
        return bundle.write(config, lambda line: None)

    return call


def test_the_command(exported: tuple[Path, Run]) -> None:
    folder, done = exported
    assert (done.returncode, done.stderr) == (0, "")
    for words in (*ANDROID, "96x64", "of 255", "dB", "Conv", "NNAPI", "made/swirls is complete"):
        assert words in done.stdout
    assert [path.name for path in folder.parent.iterdir()] == ["swirls"]


def test_manifest(exported: tuple[Path, Run], saved: Path) -> None:
    folder, _ = exported
    manifest = sealed.read(folder / "manifest.json")
    assert manifest["format"] == FORMAT
    assert {name for name, data in bytes_in(folder).items() if data} == {*manifest["files"], "manifest.json", MEASURED}
    for name, facts in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert facts == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert manifest["style"] == {"name": "swirls", "artist": "Ünal", "licence": "CC0-1.0"}
    assert manifest["checkpoint"]["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert manifest["checkpoint"]["card"]["training"] == {"steps": 7}
    assert {"impasto", "torch"} < set(manifest["versions"])
    contract = manifest["android"]["contract"]
    assert (contract["input"]["type"], contract["input"]["shape"]) == ("uint8", [1, "height", "width", 4])
    assert manifest["android"]["operators"]["Conv"] > 0
    assert {"NNAPI", "XNNPACK"} <= {*manifest["android"]["execution_providers"]}
    pair = manifest["android"]["pair"]
    assert (pair["side"], pair["margin"], pair["multiple"]) == (160, 48, 4)
    assert {pair["stats"], pair["tile"], *CALLERS} <= {*manifest["files"]}
    memory = [facts["bytes"] for facts in manifest["android"]["memory"]]
    assert memory == sorted(memory) and memory[0] > 1e6
    (row,) = [row for row in sealed.read(folder / MEASURED)["rows"] if row["file"] == "android/model.int8.onnx"]
    assert (row["width"], row["height"], row["threads"]) == (64, 48, 1) and row["ms"] > 0


def test_every_model_is_compared_and_within_its_bound(exported: tuple[Path, Run]) -> None:
    manifest = sealed.read(exported[0] / "manifest.json")
    android, ios = ([facts["file"] for facts in manifest[side]["models"]] for side in ("android", "ios"))
    assert android == [f"android/{name}" for name in ANDROID]
    assert ios == [f"ios/{name}.mlpackage" for name in PACKAGES]
    bounds = [facts["bound"] for side in ("android", "ios") for facts in manifest[side]["models"]]
    assert bounds == [
        {"largest": 1},
        {"largest": 2},
        {"psnr": 40},
        {"largest": 1},
        {"psnr": 50},
        {"psnr": 40},
        {"psnr": 50},
    ]
    rows = [Row(**facts | {"bound": Bound(**facts["bound"])}) for facts in manifest["parity"]]
    proof.hold(rows)
    sizes = {f"{width}x{height}" for height, width in golden.SIZES}
    for name in android:
        assert {row.picture for row in rows if row.file == name and row.runtime.startswith("ONNX Runtime 1")} == sizes
    (row,) = [row for row in rows if row.file == "android/tile.onnx"]
    assert row.bound == Bound(largest=2) and row.reference == "PyTorch"
    for name in ios:
        runtimes = {row.runtime.rsplit(", ", 1)[1] for row in rows if row.file == name and row.picture == "96x64"}
        assert {"fp32", "fp16"} <= runtimes


def test_two_exports_are_the_same_to_the_byte(export: Callable[..., Any], tmp_path: Path) -> None:
    export(tmp_path / "one")
    export(tmp_path / "two")
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two")


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
    before = bytes_in(tmp_path)

    def fail(network: object, path: Path, *arguments: object) -> None:
        (path / "half").write_text("half")
        raise error

    monkeypatch.setattr(contents, "fill", fail)
    with pytest.raises(type(error)):
        export(output)
    assert bytes_in(tmp_path) == before
    assert bool(before) == earlier


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        shutil.Error([("a/weight.bin", "b/weight.bin", "[Errno 28] No space left on device")]),
        shutil.Error([("a", "b", "[('a/c', 'b/c', \"[Errno 28] No space left on device: 'b/c'\")]")]),
    ],
)
def test_a_full_disk_is_one_sentence(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(contents, "fill", fail)
    with pytest.raises(RequestError, match=r"swirls cannot be written: No space left on device$"):
        export(tmp_path / "swirls")
    assert bytes_in(tmp_path) == {}


def test_an_earlier_bundle_is_replaced(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "swirls"
    output.mkdir()  # an empty folder is free
    export(output)
    fresh = bytes_in(output)
    manifest = json.loads((output / "manifest.json").read_text())
    (output / "golden" / "old.png").write_bytes(b"old")
    (output / ".DS_Store").write_bytes(b"droppings")
    manifest["files"]["golden/old.png"] = {}
    (output / "manifest.json").write_text(json.dumps(manifest))
    old = bytes_in(output)

    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(1, "Operation not permitted")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(RequestError, match="Operation not permitted"):
            export(output)
    assert bytes_in(tmp_path) == {"swirls": b""} | {f"swirls/{name}": data for name, data in old.items()}

    export(output)
    assert bytes_in(output).keys() == fresh.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["swirls"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"holiday.jpg": "a photo"}, "holds other things"),
        ({"manifest.json": "{}"}, "holds other things"),
        ({"manifest.json": "[1]"}, "holds other things"),
        ({"manifest.json": "not json"}, "holds other things"),
        ({"manifest.json": '{"format": "another", "files": {}}'}, "holds other things"),
        ({"manifest.json": '{"format": "impasto-bundle-2", "files": {}}', "notes.txt": "mine"}, "holds notes.txt"),
    ],
)
def test_a_foreign_folder_is_refused(
    export: Callable[..., Any], tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    output = tmp_path / "folder"
    output.mkdir()
    for name, text in files.items():
        (output / name).write_text(text)
    before = bytes_in(tmp_path)
    with pytest.raises(RequestError, match=sentence) as error:
        export(output)
    assert f"output={output}" in str(error.value) and "\n" not in str(error.value)
    assert bytes_in(tmp_path) == before


def test_a_file_or_what_lies_below_one_is_refused(export: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for output in (file, file / "swirls"):
        with pytest.raises(RequestError, match=r"is a file; name a folder|cannot be written: Not a directory"):
            export(output)
    assert bytes_in(tmp_path) == {"file": b"mine"}


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


def test_another_network_fails_parity(written: Written, build: Build, tmp_path: Path) -> None:
    path, network = written("mobile", "pixels"), build("mobile")
    shipped = Shipped(path.name, "float32", Bound(largest=1), {})
    for change, sentence in ((0.0, None), (0.5, r"at 33x17 by up to \d+ of 255, more than 1")):
        with torch.no_grad():
            network.get_parameter("body.exit.conv.1.bias").add_(change)
        picture = golden.make(contents.reference(network), 17, 33)
        rows, _ = proof.onnx(path.parent, [shipped], [picture], {"onnxruntime": OnnxRuntime()}, lambda line: None)
        if sentence is None:
            proof.hold(rows)
        else:
            with pytest.raises(CheckError, match=sentence):
                proof.hold(rows)


def test_photos_to_calibrate_on(photo_folder: Path, saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(photo_folder, tmp_path / "photos")
    (folder / "text.jpg").write_text("no photo")
    photos = contents.photos_of(str(folder))
    assert len(photos) == 8 and all(photo.shape == (256, 340, 3) for photo in photos)
    line = [f"checkpoint={saved}", f"output={tmp_path / 'made'}", f"coreml.photos={tmp_path / 'empty'}"]
    with pytest.raises(RequestError, match=r"coreml\.photos=.*empty holds no pictures; name a folder of photos"):
        bundle.write(compose("export", line), lambda line: None)
    assert not (tmp_path / "made").exists()


def test_no_numbers_fail(build: Build) -> None:
    network = build("mobile")
    with torch.no_grad():
        network.get_parameter("body.exit.conv.1.bias")[0] = torch.nan
    with pytest.raises(CheckError, match="no numbers at 33x17; train it again"):
        golden.make(contents.reference(network), 17, 33)
