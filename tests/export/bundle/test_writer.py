import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.export import test_images
from impasto.export.bundle import artifacts, writer
from impasto.export.bundle.manifest import FileEntry, Manifest
from impasto.export.commands import verify
from impasto.export.contract import Tolerance
from impasto.export.coreml.artifacts import calibration_photos
from impasto.export.onnx_graph.artifacts import OnnxExporter
from impasto.export.validation.checks import Checks
from impasto.export.validation.parity import assert_within_tolerance
from impasto.export.validation.suite import Reference, validate
from impasto.models.onnx_model import SUFFIXES
from impasto.models.provenance import sha256
from tests.helpers.bundles import Written, artifact, bytes_in
from tests.helpers.commands import Run
from tests.helpers.networks import LABEL, Build
from tests.helpers.onnx_models import warnings_of

ANDROID = ["model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.ort"]
PACKAGES = ["Model_96x64", "Model_96x64_int8", "Model_ios18"]


def test_export_command_prints_files_parity_and_operators(exported: tuple[Path, Run]) -> None:
    folder, done = exported
    assert (done.returncode, done.stderr) == (0, "")
    for words in (*ANDROID, "96x64", "of 255", "dB", "Conv", "NNAPI", "exported/swirls is complete"):
        assert words in done.stdout
    assert [path.name for path in folder.parent.iterdir()] == ["swirls"]


def test_every_onnx_file_loads_without_a_warning_of_onnx_runtime(
    exported: tuple[Path, Run], capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [path for path in sorted((exported[0] / "android").iterdir()) if path.suffix in SUFFIXES]
    assert len(paths) == 8
    assert {path.name: warnings_of(path, capfd) for path in paths} == dict.fromkeys((path.name for path in paths), "")


def test_every_model_is_validated_and_within_its_tolerance(exported: tuple[Path, Run]) -> None:
    bundle = Manifest.load(exported[0])
    files = [model.file for model in bundle.models]
    android, ios = [f"android/{name}" for name in ANDROID], [f"ios/{name}.mlpackage" for name in PACKAGES]
    fixed = ["android/model_96x64.onnx", "android/model.npu.onnx"]
    assert files == [*android, *fixed, "android/tile.onnx", *ios, "android/model.tflite"]
    assert [model.tolerance for model in bundle.models] == [
        *(Tolerance(max_difference=1), Tolerance(max_difference=2), Tolerance(min_psnr=40)),
        *(Tolerance(max_difference=1), Tolerance(max_difference=1), Tolerance(max_difference=2)),
        Tolerance(max_difference=2),
        *(Tolerance(min_psnr=50), Tolerance(min_psnr=40), Tolerance(min_psnr=50)),
        Tolerance(max_difference=1),
    ]
    assert_within_tolerance(bundle.parity)
    sizes = {f"{width}x{height}" for height, width in test_images.SIZES}
    for name in android:
        rows = [row for row in bundle.parity if row.file == name and row.runtime.startswith("ONNX Runtime 1")]
        assert {row.picture for row in rows} == sizes
    for name in fixed:
        assert {row.picture for row in bundle.parity if row.file == name} == {"96x64"}
    rows = [row for row in bundle.parity if row.file == "android/model.tflite"]
    assert {row.tolerance.max_difference for row in rows} | {2} == {1, 2, 3} and len(rows) in (2, 3)
    (row,) = [row for row in bundle.parity if row.file == "android/tile.onnx"]
    assert row.tolerance == Tolerance(max_difference=2) and row.reference == "PyTorch"
    for name in ios:
        runtimes = {
            row.runtime.rsplit(", ", 1)[1] for row in bundle.parity if row.file == name and row.picture == "96x64"
        }
        assert {"fp32", "fp16"} <= runtimes


def test_readme_describes_each_file_of_a_bundle(exported: tuple[Path, Run]) -> None:
    folder, _ = exported
    rows = re.findall(r"^\| `([^`]+)` \| [\d,]* ?\| [^|]+ \|$", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == len({*rows})
    for name in Manifest.load(folder).files:
        covered = [row for row in rows if name == row or name.startswith(f"{row.removesuffix('/')}/")]
        assert len(covered) == (name != "README.md"), name


@pytest.mark.slow
def test_write_without_coreml_and_litert_sizes_exports_to_onnx_alone(saved: Path, tmp_path: Path) -> None:
    overrides = ["coreml.sizes=[]", "litert.sizes=[]", "onnx.npu_size=none", "benchmark.sizes=[]", "onnx.tile=160"]
    overrides.append("parity.runtimes=[onnxruntime]")
    config = compose("export", [f"checkpoint={saved}", f"output={tmp_path / 'bundle'}", *overrides])
    manifest, built = writer.write(config, lambda line: None)
    names = [f"android/{name}" for name in (*ANDROID, "tile.onnx")]
    assert [model.file for model in manifest.models] == names and built.skipped_runtimes == {}
    assert not (tmp_path / "bundle" / "ios").exists()
    assert "## Android" in (tmp_path / "bundle" / "README.md").read_text()
    verify.task(compose("verify", [f"bundle={tmp_path / 'bundle'}", "runtimes=[onnxruntime]"]))


def test_write_twice_gives_the_same_bytes(export: Callable[..., Any], tmp_path: Path) -> None:
    export(tmp_path / "one")
    export(tmp_path / "two")
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two")


@pytest.mark.parametrize("error", [RuntimeError("no converter"), CheckFailed("weights"), KeyboardInterrupt()])
@pytest.mark.parametrize("earlier", [True, False])
def test_write_that_fails_leaves_the_folder_as_it_was(
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
        (path / "partial").write_text("partial")
        raise error

    monkeypatch.setattr(artifacts, "fill", fail)
    with pytest.raises(type(error)):
        export(output)
    assert bytes_in(tmp_path) == before
    assert bool(before) == earlier


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError("No space left on device"),  # without errno
        shutil.Error([("a/weight.bin", "b/weight.bin", "[Errno 28] No space left on device")]),
        shutil.Error([("a", "b", "[('a/c', 'b/c', \"[Errno 28] No space left on device: 'b/c'\")]")]),
    ],
)
def test_write_on_a_full_disk_raises_one_sentence(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(artifacts, "fill", fail)
    with pytest.raises(UsageError, match=r"swirls cannot be written: No space left on device$"):
        export(tmp_path / "swirls")
    assert bytes_in(tmp_path) == {}


def test_write_replaces_an_earlier_bundle(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "swirls"
    output.mkdir()  # an empty folder is accepted
    export(output)
    fresh = bytes_in(output)
    (output / "golden" / "old.png").write_bytes(b"old")
    manifest = Manifest.load(output)
    manifest.files["golden/old.png"] = FileEntry(3, sha256(output / "golden" / "old.png"))
    manifest.save(output)
    (output / ".DS_Store").write_bytes(b"droppings")
    old = bytes_in(output)

    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(1, "Operation not permitted")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(UsageError, match="Operation not permitted"):
            export(output)
    assert bytes_in(tmp_path) == {"swirls": b""} | {f"swirls/{name}": data for name, data in old.items()}

    export(output)
    assert bytes_in(output).keys() == fresh.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["swirls"]


def test_write_replaces_an_earlier_bundle_that_cannot_be_removed(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(folder: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(16, "Device or resource busy")

    export(tmp_path / "swirls")
    (tmp_path / "swirls" / "measured.json").touch()  # of the earlier bundle alone
    monkeypatch.setattr(shutil, "rmtree", fail)
    export(tmp_path / "swirls")
    assert Manifest.load(tmp_path / "swirls").damage(tmp_path / "swirls") == []
    assert not (tmp_path / "swirls" / "measured.json").exists()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"holiday.jpg": "a photo"}, "is neither empty nor an earlier bundle"),
        ({"manifest.json": "{}"}, "is not an intact bundle"),
        ({"manifest.json": "[1]"}, "is not an intact bundle"),
        ({"manifest.json": "not json"}, "is not an intact bundle"),
        ({"manifest.json": '{"format": "another", "files": {}}'}, "is not an intact bundle"),
        (
            {"manifest.json": '{"format": "impasto-bundle-4", "files": {"a.txt": {}}}', "a.txt": "mine"},
            "is not an intact",
        ),
    ],
)
def test_write_into_a_foreign_folder_raises(
    export: Callable[..., Any], tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    output = tmp_path / "folder"
    output.mkdir()
    for name, text in files.items():
        (output / name).parent.mkdir(exist_ok=True)
        (output / name).write_text(text)
    before = bytes_in(tmp_path)
    with pytest.raises(UsageError, match=sentence) as error:
        export(output)
    assert f"output={output}" in str(error.value) and "\n" not in str(error.value)
    assert bytes_in(tmp_path) == before


def test_write_to_a_file_or_below_one_raises(export: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for output in (file, file / "swirls"):
        with pytest.raises(UsageError, match=r"is a file; name a folder|cannot be written: Not a directory"):
            export(output)
    assert bytes_in(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("kind", ["pickle.pth", "garbage", "cut", "foreign", "missing"])
def test_write_of_a_wrong_checkpoint_raises_one_sentence(
    export: Callable[..., Any], saved: Path, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / (kind if "." in kind else f"{kind}.safetensors")
    if kind == "foreign":
        save_file({"a": torch.zeros(1)}, source)
    elif kind != "missing":
        data = {"pickle.pth": b"\x80\x04K\x01.", "garbage": b"hello", "cut": saved.read_bytes()[:2000]}
        source.write_bytes(data[kind])
    with pytest.raises(UsageError) as error:
        export(tmp_path / "exported" / "swirls", source)
    assert source.name in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "exported").exists()


@pytest.mark.slow
def test_validate_against_another_network_fails(written: Written, build: Build, tmp_path: Path) -> None:
    path, network = written("mobile", "uint8_rgba"), build("mobile")
    for change, sentence in ((0.0, None), (0.5, r"at 33x17 by up to \d+ of 255, more than 1")):
        with torch.no_grad():
            network.get_parameter("body.exit.conv.1.bias").add_(change)
        reference = Reference("PyTorch", artifacts.reference(network))
        golden = [test_images.golden_image(reference.stylize, 17, 33)]
        what, where = (path.parent, [artifact(path)], golden, reference), (["onnxruntime"], Path(), lambda line: None)
        if sentence is None:
            assert len(validate(*what, *where, Checks(fail_fast=True)).results) == 1
        else:
            with pytest.raises(CheckFailed, match=sentence):
                validate(*what, *where, Checks(fail_fast=True))


def test_calibration_photos_are_resized_and_skip_unreadable_files(
    photo_folder: Path, saved: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(photo_folder, tmp_path / "photos")
    (folder / "text.jpg").write_text("no photo")
    photos = calibration_photos(str(folder))
    assert len(photos) == 8 and all(photo.shape == (256, 336, 3) for photo in photos)
    line = [f"checkpoint={saved}", f"output={tmp_path / 'exported'}", f"coreml.photos={tmp_path / 'empty'}"]
    with pytest.raises(UsageError, match=r"coreml\.photos=.*empty contains no pictures; name a folder of photos"):
        writer.write(compose("export", line), lambda line: None)
    assert not (tmp_path / "exported").exists()


def test_reference_of_a_network_with_nan_raises(build: Build) -> None:
    network = build("mobile")
    with torch.no_grad():
        network.get_parameter("body.exit.conv.1.bias")[0] = torch.nan
    with pytest.raises(CheckFailed, match="not finite at 33x17; train it again"):
        test_images.golden_image(artifacts.reference(network), 17, 33)


def test_fixed_size_that_needs_padding_is_one_sentence(build: Build, tmp_path: Path) -> None:
    network = build("mobile")
    network.stride = 8
    config = compose("export", ["checkpoint=c", "output=o", "onnx.fixed_sizes=[64,68x64]"])
    with pytest.raises(UsageError, match=r"^onnx\.fixed_sizes: 68x64 would need padding.*choose multiples of 8"):
        OnnxExporter(config, LABEL).export(network, tmp_path)
    assert [*tmp_path.iterdir()] == []
