import hashlib
import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.bundle import checksummed_json, verification
from impasto.export.bundle.manifest import FileEntry, Manifest
from impasto.export.bundle.verification import Verification
from impasto.export.commands import verify
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.models.provenance import sha256
from tests.helpers.commands import Run

ZEROS = "0" * 64


@pytest.fixture
def bundle(exported: tuple[Path, Run], tmp_path: Path) -> Path:
    """A copy of the bundle."""
    return shutil.copytree(exported[0], tmp_path / "swirls")


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime answers with the photo, so that a verification takes no time, and fails."""
    monkeypatch.setattr(OnnxRuntime, "run", lambda self, folder, artifact, images: [*images])


def reports(folder: Path, *arguments: str) -> tuple[BaseException | None, Verification, ET.Element]:
    """The error, the JSON report and the JUnit report of impasto-verify."""
    files = [folder.parent / name for name in ("verify.json", "verify.xml")]
    lines = [f"bundle={folder}", f"json={files[0]}", f"junit={files[1]}", *arguments]
    error = None
    try:
        verify.task(compose("verify", lines))
    except (CheckFailed, UsageError) as caught:
        error = caught
    values = json.loads(files[0].read_text())
    jsonschema.Draft202012Validator(json.loads(verification.SCHEMA_FILE.read_text())).validate(values)
    return error, Verification.from_json(values), ET.parse(files[1]).getroot()


def statuses(outcome: Verification, group: str) -> dict[str, str]:
    return {check.name: check.status for check in outcome.checks if check.group == group}


def test_reports_have_every_file_runtime_and_model(exported: tuple[Path, Run], tmp_path: Path) -> None:
    bundle = shutil.copytree(exported[0], tmp_path / "swirls")
    error, outcome, xml = reports(bundle, "runtimes=[onnxruntime]")
    assert error is None and outcome.passed and outcome.format == "impasto-verification-1"
    assert outcome.digest == hashlib.sha256((bundle / "SHA256SUMS").read_bytes()).hexdigest()
    manifest = Manifest.load(bundle)
    assert {*statuses(outcome, "files")} == {*manifest.files, "SHA256SUMS", "measured.json"}
    android = {model.file for model in manifest.models if model.file.startswith("android/")}
    onnx = {file for file in android if not file.endswith(".tflite")}  # what ONNX Runtime runs
    assert {*statuses(outcome, "contract")} == android
    assert {name.split(" in ")[0] for name in statuses(outcome, "parity")} == onnx | {"golden/"}
    assert {check.status for check in outcome.checks} == {"passed"}
    assert {row.file for row in outcome.parity} == onnx
    assert xml.get("tests") == str(len(outcome.checks)) and xml.get("failures") == "0"


@pytest.mark.usefixtures("no_models")
def test_runtime_that_was_named_and_did_not_run_fails(bundle: Path) -> None:
    for key, reason in (("chromium", "run make tools"), ("node", "run make tools")):
        error, outcome, xml = reports(bundle, f"runtimes=[{key}]", f"tools_dir={bundle.parent}")
        assert isinstance(error, CheckFailed) and not outcome.passed
        assert str(error).startswith(f"runtime {key} was asked for and did not run: ") and str(error).endswith(reason)
        assert statuses(outcome, "runtime") == {key: "failed"} and outcome.parity == []
        assert xml.get("failures") == "1"


def test_named_runtime_that_no_model_is_for_fails(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    models = [model for model in manifest.models if not model.functions]
    replace(manifest, models=models).save(bundle)
    error, outcome, _ = reports(bundle, "runtimes=[onnxruntime,coreml]")
    assert str(error) == "runtime coreml was asked for and did not run: it runs none of the models"
    assert outcome.parity and not outcome.passed


@pytest.mark.usefixtures("no_models")
def test_bundle_that_compares_nothing_fails(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    files = {name: entry for name, entry in manifest.files.items() if not name.startswith("golden/")}
    shutil.rmtree(bundle / "golden")
    replace(manifest, files=files).save(bundle)
    error, outcome, _ = reports(bundle, "runtimes=[onnxruntime]")
    assert "android/model.onnx was compared with nothing: no golden image can be read (and" in str(error)
    assert not outcome.passed
    replace(manifest, files=files, models=[]).save(bundle)
    error, outcome, _ = reports(bundle)
    assert "no picture was compared" in str(error) and outcome.parity == []
    with pytest.raises(UsageError, match=r"runtimes=\[\] is empty; name a runtime, or give null"):
        compose("verify", [f"bundle={bundle}", "runtimes=[]"])


def test_changed_files_are_all_reported_and_no_model_runs(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "validate", None)
    (bundle / "android/model.ort").unlink()
    (bundle / "README.md").write_text("mine")
    (bundle / "evil\x1b[31m.txt").write_text("mine")
    outside = bundle.parent / "model.onnx"
    (bundle / "android/model.onnx").rename(outside)
    (bundle / "android/model.onnx").symlink_to(outside)
    package = next((bundle / "ios").glob("*.mlpackage"))
    (package / "Thumbs.db").write_bytes(b"ships with the app")
    (bundle / "Thumbs.db").write_bytes(b"a file manager's")
    error, outcome, xml = reports(bundle)
    failed = {check.name: check.message for check in outcome.failures}
    assert {*failed} == {
        *("android/model.ort", "README.md", r"evil\x1b[31m.txt", "android/model.onnx"),
        *(f"ios/{package.name}/Thumbs.db", "Thumbs.db"),
    }
    assert "is a link" in failed["android/model.onnx"] and str(error).endswith("get the bundle again from its source")
    assert " (and 5 more); " in str(error)
    assert {check.status for check in outcome.checks if check.group == "parity"} == {"skipped"}
    assert xml.get("failures") == "6"


def test_digest_of_another_bundle_fails(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "validate", None)
    digest = Manifest.load(bundle).digest(bundle)
    path = bundle / "android/StyleTransfer.kt"
    path.write_text(path.read_text(encoding="utf-8") + "// more", encoding="utf-8")
    manifest = Manifest.load(bundle)
    manifest.files["android/StyleTransfer.kt"] = FileEntry(path.stat().st_size, sha256(path))
    manifest.save(bundle)  # new checksums, as anybody can write them
    error, outcome, _ = reports(bundle, f"digest={digest}")
    assert isinstance(error, CheckFailed) and f", not {digest}: it is another one, or was changed; get" in str(error)
    assert statuses(outcome, "digest") == {"digest": "failed"} and {*statuses(outcome, "files").values()} == {"passed"}


def test_digest_is_taken_in_any_case_and_nothing_else(bundle: Path) -> None:
    digest = Manifest.load(bundle).digest(bundle)
    error, outcome, _ = reports(bundle, f"digest={digest.upper()}", "runtimes=[onnxruntime]")
    assert error is None and statuses(outcome, "digest") == {"digest": "passed"}
    assert compose("verify", [f"bundle={bundle}", f"digest={ZEROS}"]).digest == ZEROS  # no number
    for wrong in ("abc", digest[1:], f"sha256:{digest}"):
        with pytest.raises(UsageError, match=r"is not 64 hexadecimal digits; give what impasto-export printed"):
            compose("verify", [f"bundle={bundle}", f"digest={wrong}"])


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (lambda folder: (folder / "manifest.json").write_text("{"), CheckFailed, "manifest.json was changed"),
        (lambda folder: (folder / "manifest.json").unlink(), UsageError, "is not a bundle"),
        (shutil.rmtree, UsageError, "is not a folder; name one that impasto-export wrote"),
    ],
)
def test_bundle_that_cannot_be_read_is_reported(
    bundle: Path, damage: Callable[[Path], Any], kind: type[Exception], words: str
) -> None:
    damage(bundle)
    error, outcome, xml = reports(bundle)
    assert isinstance(error, kind) and words in str(error)
    assert (outcome.style, outcome.digest, outcome.passed) == (None, None, False)
    assert xml.get("tests") == xml.get("failures") == "1"


def test_model_outside_the_checksums_fails(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    other = replace(manifest.models[0], file="../model.onnx")
    replace(manifest, models=[*manifest.models, other]).save(bundle)
    error, outcome, _ = reports(bundle)
    assert str(error).startswith("manifest.json is inconsistent: the model ../model.onnx is not among its files")
    assert statuses(outcome, "manifest") == {"manifest.json": "failed"} and outcome.parity == []


@pytest.mark.usefixtures("no_models")
def test_golden_image_that_is_no_picture_fails(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    (bundle / "golden/96x64.png").write_bytes(b"torn")
    manifest.files["golden/96x64.png"] = FileEntry(4, sha256(bundle / "golden/96x64.png"))
    manifest.save(bundle)
    error, outcome, _ = reports(bundle, "runtimes=[onnxruntime]")
    assert (
        str(error).startswith("golden/96x64.png cannot be read as a PNG")
        and statuses(outcome, "parity")["golden/"] == "failed"
    )


def test_signature_and_repository_may_be_in_a_bundle(bundle: Path) -> None:
    for name in ("SHA256SUMS.sig", "SHA256SUMS.sigstore.json"):
        (bundle / name).write_text("signed")
    (bundle / ".git").mkdir()
    (bundle / ".git/HEAD").write_text("ref: refs/heads/main")
    assert not {".git/HEAD", "SHA256SUMS.sig"} & {*Manifest.load(bundle).names(bundle)}


def test_bundle_without_git_attributes_is_still_read(bundle: Path) -> None:
    """Earlier versions wrote none, and measured.json without a format."""
    manifest = Manifest.load(bundle)
    (bundle / ".gitattributes").unlink()
    del manifest.files[".gitattributes"]
    manifest.save(bundle)
    measured = checksummed_json.read(bundle / "measured.json")
    checksummed_json.write(bundle / "measured.json", {key: measured[key] for key in measured if key != "format"})
    error, _, _ = reports(bundle, "runtimes=[onnxruntime]")
    assert error is None


def test_git_that_converts_line_ends_keeps_every_byte(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "repository/styles/swirls")

    def git(*arguments: str) -> None:
        identity = ["-c", "core.autocrlf=true", "-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path / "repository", check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "bundle")
    shutil.rmtree(copy)
    git("checkout", "--", ".")
    for path in bundle.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (copy / path.relative_to(bundle)).read_bytes(), path
    assert b"\r\n" not in (copy / "README.md").read_bytes()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["json=-", "junit=-"], "json=- and junit=- are the same file; name two"),
        (["json=verify.json", "junit=verify.json"], "are the same file; name two"),
        (["junit=reports/verify.xml"], "reports/verify.xml cannot be written: the folder .*reports does not exist"),
        (["json=swirls/verify.json"], "is inside the bundle, which it would change; name another folder"),
        (["junit=."], "is a folder; name a file"),
    ],
)
def test_report_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str], words: str
) -> None:
    (tmp_path / "swirls").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        verify.task(compose("verify", ["bundle=swirls", *line]))
    assert [path.name for path in tmp_path.iterdir()] == ["swirls"]


def test_verification_that_is_killed_leaves_no_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verification, "verify", interrupt)
    (tmp_path / "verify.xml").write_text("<testsuites/>")
    with pytest.raises(KeyboardInterrupt):
        verify.task(compose("verify", [f"bundle={tmp_path / 'swirls'}", f"junit={tmp_path / 'verify.xml'}"]))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("key", ["json", "junit"])
def test_report_to_stdout_is_alone_there(bundle: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    verify.task(compose("verify", [f"bundle={bundle}", "runtimes=[onnxruntime]", f"{key}=-"]))
    printed = capsys.readouterr()
    assert "pictures compared" in printed.err and "digest=" in printed.err
    if key == "json":
        assert Verification.from_json(json.loads(printed.out)).passed
    else:
        assert ET.fromstring(printed.out.encode()).get("failures") == "0"


def test_committed_schema_is_current(tmp_path: Path) -> None:
    verification.write_schema(tmp_path / "schema.json")
    assert verification.SCHEMA_FILE.read_text() == (tmp_path / "schema.json").read_text()


def test_licenses_that_a_manifest_leaves_out_are_named(bundle: Path, no_models: None) -> None:
    manifest = replace(Manifest.load(bundle), licenses=[])
    (bundle / "LICENSE").unlink()
    del manifest.files["LICENSE"]
    manifest.save(bundle)
    for arguments, status in ((), "skipped"), (("require_licenses=true",), "failed"):
        _, outcome, _ = reports(bundle, "runtimes=[onnxruntime]", *arguments)
        found = statuses(outcome, "licenses")
        assert {"code", "network", "painting", "photos", "LICENSE"} <= {*found} and {*found.values()} == {status}


def test_reports_have_each_license_and_models_are_checked_where_one_is_unknown(bundle: Path, no_models: None) -> None:
    manifest = Manifest.load(bundle)
    named = [replace(entry, license="MIT") for entry in manifest.licenses if entry.part != "photos"]
    photos = [replace(entry, license="unknown") for entry in manifest.licenses if entry.part == "photos"]
    replace(manifest, licenses=[*named, *photos]).save(bundle)
    for arguments, status in ((), "skipped"), (("require_licenses=true",), "failed"):
        error, outcome, xml = reports(bundle, "runtimes=[onnxruntime]", *arguments)
        expected = dict.fromkeys((entry.part for entry in named), "passed") | {"photos": status}
        assert statuses(outcome, "licenses") == expected and statuses(outcome, "contract")
        (case,) = xml.iterfind("testsuite/testcase[@name='photos']/*")
        assert "licenses.photos=LICENSE" in case.get("message", "") and isinstance(error, CheckFailed)
        assert ("license of the photos" in str(error)) == (status == "failed")
