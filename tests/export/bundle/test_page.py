"""The page of a bundle is that of impasto-app with one style."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from impasto.export.bundle import page
from impasto.export.webapp import runtime, site
from impasto.models.card import Card, ModelCard, StyleCard
from impasto.models.provenance import sha256
from tests.helpers.networks import LABEL
from tests.helpers.webapp import write_tools


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "bundle" / "android").mkdir(parents=True)
    (tmp_path / "bundle" / "android" / "model.onnx").write_bytes(b"network")
    return tmp_path / "bundle"


def test_write_names_the_model_of_the_bundle(bundle: Path) -> None:
    style = StyleCard("swirls", "artist", "CC0", "0" * 64, 256, None, 0, title="The Swirls")
    card = Card(ModelCard("mobile", 1.0, 5), style)
    page.write(bundle, replace(LABEL, stroke_resolution=64), card, None)
    (entry,) = json.loads((bundle / "preview" / "app.json").read_text())["styles"]
    assert (entry["title"], entry["artist"], entry["stroke_resolution"]) == ("The Swirls", LABEL.artist, 64)
    model = bundle / "preview" / entry["files"]["onnx"]["url"]
    assert model.resolve() == bundle / "android" / "model.onnx" and entry["files"]["onnx"]["sha256"] == sha256(model)
    written = {path.relative_to(bundle / "preview").as_posix() for path in (bundle / "preview").rglob("*.*")}
    assert {*site.page_files()} < written and not (bundle / "preview" / "runtime").exists()


def test_write_with_tools_has_the_runtimes_and_their_licenses(bundle: Path, tmp_path: Path) -> None:
    page.write(bundle, LABEL, Card(ModelCard("mobile", 1.0, 5)), write_tools(tmp_path / "tools"))
    (entry,) = json.loads((bundle / "preview" / "app.json").read_text())["styles"]
    assert entry["title"] == LABEL.style
    names = {name for package in runtime.packages().values() for name in package.names}
    assert {path.name for path in (bundle / "preview" / "runtime").iterdir()} == names
    assert "Microsoft" in (bundle / page.LICENSE).read_text()
