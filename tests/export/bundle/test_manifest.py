import hashlib
import json
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import EMULATORS
from impasto.export.bundle import checksummed_json, manifest
from impasto.export.bundle.manifest import CHECKSUMS, FORMAT, MANIFEST, MEASURED, Manifest
from impasto.export.client_files import CLIENTS
from impasto.export.contract import ImageSize
from impasto.export.validation.latency import Latency
from tests.helpers.commands import Run
from tests.helpers.networks import BUNDLE_GRAIN, BUNDLE_STROKES


def test_manifest_describes_the_files_models_and_origin(exported: tuple[Path, Run], saved: Path) -> None:
    folder, _ = exported
    bundle = Manifest.load(folder)
    assert bundle.format == FORMAT == "impasto-bundle-4"
    unlisted = {MANIFEST, MEASURED, CHECKSUMS}
    assert {*manifest.file_names(folder)} == {*bundle.files} | unlisted
    for name, entry in bundle.files.items():
        data = (folder / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert bundle.style.name == "swirls"
    (painting,) = [entry for entry in bundle.licenses if entry.part == "painting"]
    assert (painting.title, painting.author, painting.license) == ("swirls", "Ünal", "CC0-1.0")
    assert "MIT License" in (folder / "LICENSE").read_text() and "LICENSE" in bundle.files
    assert (bundle.style.stroke_resolution, bundle.style.grain) == (BUNDLE_STROKES, BUNDLE_GRAIN)
    assert bundle.checkpoint.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert bundle.checkpoint.card.training is not None and bundle.checkpoint.card.training.steps == 7
    assert {"impasto", "torch"} < set(bundle.versions)
    models = {model.file: model for model in bundle.models}
    (image,) = models["android/model.onnx"].contract.inputs
    assert (image.type, image.shape) == ("uint8", (1, "height", "width", 4))
    assert models["ios/Model_ios18.mlpackage"].functions == {"size_96x64": ImageSize(96, 64)}
    assert models["android/model.tflite"].functions == {"size_96x64": ImageSize(96, 64)}
    tiling = models["android/tile.onnx"].tiling
    assert tiling is not None and (tiling.side, tiling.margin, tiling.multiple) == (160, 48, 4)
    assert {tiling.stats, "android/tile.onnx", manifest.SCHEMA, "README.md", *CLIENTS} <= {*bundle.files}
    assert bundle.graph.operators["Conv"] > 0
    assert {"NNAPI", "XNNPACK"} <= {*bundle.graph.execution_providers}
    assert {*bundle.skipped_runtimes} == {"node", "chromium", "arm64", *EMULATORS}  # no tools are named
    sizes = [str(estimate.size) for estimate in bundle.graph.memory]
    assert sizes == ["256x256", "512x512", "1024x1024", "1920x1080"]
    memory = [estimate.bytes for estimate in bundle.graph.memory]
    assert memory == sorted(memory) and memory[0] > 1e6
    measured = Latency.from_json(checksummed_json.read(folder / MEASURED))
    assert measured.format == "impasto-latency-1"
    (row,) = [row for row in measured.rows if row.file == "android/model.int8.onnx"]
    assert (row.width, row.height, row.threads) == (64, 48, 1) and row.ms > 0


def test_manifest_of_a_bundle_validates_against_the_schema_beside_it(exported: tuple[Path, Run]) -> None:
    folder, _ = exported
    schema = json.loads((folder / manifest.SCHEMA).read_text())
    values = json.loads((folder / MANIFEST).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(values)
    assert Manifest.from_json({key: value for key, value in values.items() if key != "sha256"}) == Manifest.load(folder)
    for changed in (
        values | {"format": "impasto-bundle-3"},
        values | {"licence": "MIT"},
        values | {"models": [{**values["models"][0], "weights": 16}]},
        {key: value for key, value in values.items() if key != "style"},
    ):
        assert not validator.is_valid(changed)
        with pytest.raises(
            CheckFailed, match=r"the JSON of Manifest has an invalid (format|licence|models\.0\.weights|style)"
        ):
            Manifest.from_json({key: value for key, value in changed.items() if key != "sha256"})


def test_committed_schema_is_current(tmp_path: Path) -> None:
    manifest.write_schema(tmp_path / "schema.json")
    assert manifest.SCHEMA_FILE.read_text() == (tmp_path / "schema.json").read_text()


def test_module_writes_the_schema_beside_it(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "bundle").mkdir()
    copy = shutil.copy(str(manifest.__file__), tmp_path / "bundle")
    runpy.run_path(str(copy), run_name="__main__")
    assert (tmp_path / "schemas" / manifest.SCHEMA).read_text() == manifest.SCHEMA_FILE.read_text()


@pytest.mark.parametrize(
    ("name", "content", "sentences"),
    [
        ("android/model.ort", None, ["android/model.ort is missing"]),
        ("android/model.ort", b"four", ["android/model.ort was changed: it has 4 bytes, not 17"]),
        ("android/model.ort", b"android/model.or7", ["android/model.ort was changed: its SHA-256 is not the one"]),
        ("golden/added.png", b"", ["golden/added.png is not part of the bundle"]),
        ("golden/.DS_Store", b"", ["golden/.DS_Store is not part of the bundle"]),
        (MEASURED, b"", ["measured.json was changed"]),
        (CHECKSUMS, None, ["SHA256SUMS is missing"]),
        (CHECKSUMS, b"00  README.md\n", ["SHA256SUMS was changed: it differs from the manifest"]),
    ],
)
def test_check_file_names_each_file_that_differs(
    export: Callable[..., Any], tmp_path: Path, name: str, content: bytes | None, sentences: list[str]
) -> None:
    folder = tmp_path / "swirls"
    bundle, _ = export(folder)
    bundle.check_files(folder)
    assert bundle.damage(folder) == [] and Manifest.load(folder) == bundle
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    problems = []
    for path in bundle.names(folder):
        try:
            bundle.check_file(folder, path)
        except CheckFailed as error:
            problems.append(str(error))
    assert len(problems) == len(sentences)
    assert all(problem.startswith(sentence) for problem, sentence in zip(problems, sentences, strict=True))
    listed = [problem for problem in problems if "not part of the bundle" not in problem and name != MEASURED]
    assert bundle.damage(folder) == listed


def test_check_files_raises_the_first_problem(export: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "swirls"
    bundle, _ = export(folder)
    bundle.check_files(folder)
    (folder / "ios/added").touch()
    with pytest.raises(CheckFailed, match=r"^ios/added is not part of the bundle; delete it before"):
        bundle.check_files(folder)
    (folder / "android/model.ort").unlink()
    with pytest.raises(CheckFailed, match=r"^android/model\.ort is missing; get the bundle again"):
        bundle.check_files(folder)


def test_load_of_another_folder_or_format_raises(export: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a bundle: it contains no manifest\.json"):
        Manifest.load(tmp_path)
    export(tmp_path / "swirls")
    values = checksummed_json.read(tmp_path / "swirls" / MANIFEST) | {"format": "impasto-bundle-9"}
    checksummed_json.write(tmp_path / "swirls" / MANIFEST, values)
    with pytest.raises(UsageError, match=r"has the format impasto-bundle-9, not .*; update impasto"):
        Manifest.load(tmp_path / "swirls")


def test_sha256sum_accepts_a_bundle_and_names_a_changed_file(exported: tuple[Path, Run], tmp_path: Path) -> None:
    folder = shutil.copytree(exported[0], tmp_path / "swirls")
    check = [shutil.which("sha256sum") or "shasum", "-c", CHECKSUMS]  # shasum -a 256 reads the same lines on macOS
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert {line.removesuffix(": OK") for line in lines} == {*Manifest.load(folder).files, MANIFEST}
    (folder / "android/model.ort").write_bytes(b"changed")
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "android/model.ort: FAILED" in done.stdout
