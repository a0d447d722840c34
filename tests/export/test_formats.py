"""A new format needs a sub-package and one line in FORMATS: here a class of each kind, registered by the test."""

import importlib.metadata
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import writer
from impasto.export.bundle.manifest import FileEntry, Manifest
from impasto.export.commands import verify
from impasto.export.contract import ExportedFiles, ModelArtifact, Tolerance
from impasto.export.formats import FORMATS, Format
from impasto.export.runtime import OnStep, Runtime
from impasto.export.test_images import Pixels
from impasto.models import onnx_model
from impasto.models.contract import INPUT, OUTPUT, Label, onnx_contract
from impasto.models.provenance import sha256
from impasto.models.transform_net import TransformNet
from tests.helpers.commands import Run


class Unzip(Runtime):
    """Runs a model in a zip archive, and records what it was called for."""

    calls: list[str]
    name = "Unzip 1.0"

    def __init__(self) -> None:
        self.calls = []

    def supports(self, artifact: ModelArtifact) -> bool:
        return artifact.format == "zip"

    def preflight(self, folder: Path, artifacts: Sequence[ModelArtifact], on_progress: OnStep) -> bool:
        self.calls += [f"preflight {artifact.file}" for artifact in artifacts]
        return True

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        self.calls.append(f"run {artifact.file}")
        with zipfile.ZipFile(folder / artifact.file) as archive:
            session = onnx_model.open_session(archive.read("model.onnx"))
        return [session.run([OUTPUT], {INPUT: image[None]})[0][0] for image in images]


class ZipFormat:
    """The format, and its own exporter."""

    libraries = ("numpy",)

    def __init__(self) -> None:
        self.runtime = Unzip()

    def exporter(self, config: ExportConfig, label: Label) -> "ZipFormat":
        return self

    def export(self, network: TransformNet, folder: Path) -> ExportedFiles:
        (folder / "zip").mkdir()
        with zipfile.ZipFile(folder / "zip" / "model.zip", "w") as archive:
            archive.write(folder / "android" / "model.onnx", "model.onnx")
        tolerance = Tolerance(max_difference=3)
        model = ModelArtifact("zip/model.zip", "zip", "float32", onnx_contract("uint8_rgba"), tolerance, {}, None)
        return ExportedFiles([model], {"zip/model.zip": "the same, zipped"})

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        if artifact.format == "zip" and not zipfile.is_zipfile(folder / artifact.file):
            raise CheckFailed(f"{artifact.file} is not a zip archive")
        return artifact.format == "zip"

    def runtimes(self, tools: Path) -> Mapping[str, Sequence[Runtime]]:
        return {"zip": [self.runtime]}


class Copied:
    """A registered format whose exporter copies a folder of an earlier bundle, which takes less time."""

    def __init__(self, form: Format, bundle: Path, name: str) -> None:
        self.form, self.bundle, self.name = form, bundle, name
        self.libraries, self.check, self.runtimes = form.libraries, form.check, form.runtimes

    def exporter(self, config: ExportConfig, label: Label) -> "Copied":
        return self

    def export(self, network: TransformNet, folder: Path) -> ExportedFiles:
        shutil.copytree(self.bundle / self.name, folder / self.name)
        models = Manifest.load(self.bundle).models
        return ExportedFiles([model for model in models if model.file.startswith(self.name)], {})


def test_new_format_is_exported_verified_and_described(
    exported: tuple[Path, Run],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle, form, output = exported[0], ZipFormat(), tmp_path / "swirls"
    monkeypatch.setitem(FORMATS, "ONNX", Copied(FORMATS["ONNX"], bundle, "android"))
    monkeypatch.setitem(FORMATS, "Core ML", Copied(FORMATS["Core ML"], bundle, "ios"))
    monkeypatch.setitem(FORMATS, "Zip", form)  # the line

    line = [f"checkpoint={saved}", f"output={output}", "parity.runtimes=[onnxruntime]", "benchmark.sizes=[]"]
    line.append("litert.sizes=[]")
    config = compose("export", line)
    assert config.parity.runtimes is not None
    config.parity.runtimes.append("zip")
    steps: list[str] = []
    manifest, _ = writer.write(config, steps.append)
    assert "writing the Zip files" in steps
    assert form.runtime.calls == ["preflight zip/model.zip", "run zip/model.zip"]
    assert manifest.versions["numpy"] == importlib.metadata.version("numpy")
    assert manifest.models[-1].file == "zip/model.zip"
    assert {row.picture for row in manifest.parity if row.runtime == "Unzip 1.0"} >= {"256x256", "96x64"}

    text = (output / "README.md").read_text(encoding="utf-8")
    size = (output / "zip" / "model.zip").stat().st_size
    assert f"| `zip/model.zip` | {size:,} | the same, zipped |" in text
    assert "| `zip/model.zip` | 5 | " in text and "3 at most" in text and "; Unzip 1.0." in text

    settings = compose("verify", [f"bundle={output}", "runtimes=[onnxruntime]"])
    assert settings.runtimes is not None
    settings.runtimes.append("zip")
    verify.task(settings)
    assert "Unzip 1.0" in capsys.readouterr().out
    assert form.runtime.calls[2:] == ["preflight zip/model.zip", "run zip/model.zip"]

    (output / "zip" / "model.zip").write_bytes(b"torn")
    manifest.files["zip/model.zip"] = FileEntry(4, sha256(output / "zip" / "model.zip"))
    manifest.save(output)
    with pytest.raises(CheckFailed, match=r"zip/model\.zip is not a zip archive"):
        verify.task(settings)
