"""Core ML packages where Core ML Tools does not run."""

import sys

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import UsageError
from impasto.export.coreml import runtime
from impasto.export.coreml.format import CoreMLFormat, NoPackages
from impasto.models.contract import Label


def test_exporter_on_windows_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    label, line = Label("style", "artist", "license", "0", "{}"), ["checkpoint=a.safetensors", "output=bundle"]
    with pytest.raises(UsageError, match=r"on Windows.*; set coreml\.sizes=\[\]$"):
        CoreMLFormat().exporter(compose("export", line), label)
    exporter = CoreMLFormat().exporter(compose("export", [*line, "coreml.sizes=[]"]), label)
    assert isinstance(exporter, NoPackages)


@pytest.mark.parametrize(
    ("platform", "sentence"),
    [("win32", "needs Core ML Tools, which does not run on Windows"), ("linux", "needs PyTorch; install it by pip")],
)
def test_runtime_without_libraries_says_why(platform: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert all(f"reading Core ML packages {sentence}" in str(each.missing()) for each in runtime.runtimes())
