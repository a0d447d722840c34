"""impasto/bundles.py: export and verify."""

import shutil
from pathlib import Path

import pytest

import impasto

pytestmark = pytest.mark.slow  # exports a network


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> impasto.Bundle:
    folder = tmp_path_factory.mktemp("api")
    fast: dict[str, object] = {"coreml.sizes": [], "benchmark.sizes": [], "parity.runtimes": ["onnxruntime"]}
    return impasto.export("zoo/udnie", folder / "bundle", model="tiny", overrides=fast, progress=False)


def test_export_returns_the_bundle(bundle: impasto.Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    assert bundle.latency is None
    assert bundle.manifest.digest(bundle.folder) == bundle.digest
    report = impasto.verify(bundle.folder, runtimes=("onnxruntime",), digest=bundle.digest, progress=False)
    assert report.passed and report.digest == bundle.digest
    assert impasto.stylize(Path(__file__).parents[1] / "models/zoo/udnie/painting.jpg", bundle.folder).size == (
        320,
        320,
    )
    assert capfd.readouterr() == ("", "")


def test_verify_changed_bundle_raises_the_report(bundle: impasto.Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder)
    (folder / "README.md").write_text("changed")
    (folder / "LICENSE").unlink()
    with pytest.raises(impasto.CheckFailed, match=r"\(and \d more\)") as caught:
        impasto.verify(folder, overrides={"json": tmp_path / "verify.json"}, progress=False)
    report = caught.value.report
    assert isinstance(report, impasto.Verification)
    assert {"README.md", "LICENSE"} <= {check.name for check in report.failures}
    assert (tmp_path / "verify.json").is_file()


def test_verify_wrong_request_is_a_usage_error(bundle: impasto.Bundle, tmp_path: Path) -> None:
    for call, words in (
        (lambda: impasto.verify(tmp_path, progress=False), "is not a bundle"),
        (lambda: impasto.verify(bundle.folder, runtimes=[]), "runtimes=[] is empty"),
        (lambda: impasto.verify(bundle.folder, digest="abc"), "digest=abc is not 64 hexadecimal digits"),
        (lambda: impasto.export("zoo/udni", tmp_path / "b", progress=False), "zoo/udni is not in the zoo"),
        (lambda: impasto.export("zoo/udnie", bundle.folder / "README.md", progress=False), "is a file"),
    ):
        with pytest.raises(impasto.UsageError) as caught:
            call()
        assert words in str(caught.value)
