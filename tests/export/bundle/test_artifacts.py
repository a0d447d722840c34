from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.configs.cli.app import compose
from impasto.configs.schema.export import ExportConfig
from impasto.export import test_images
from impasto.export.bundle import artifacts, checksummed_json
from impasto.export.bundle.manifest import MEASURED
from impasto.export.contract import ExportedFiles, ModelArtifact, Tolerance
from impasto.export.coreml.contracts import COREML, coreml_contract
from impasto.export.onnx_graph import op_coverage
from impasto.export.onnx_graph.contracts import ONNX
from impasto.export.validation import latency
from impasto.export.validation.latency import Latency, LatencyRow
from impasto.export.validation.suite import Validation
from impasto.models import transform_net
from impasto.models.contract import Label, onnx_contract
from tests.helpers.networks import LABEL, Build
from tests.helpers.onnx_models import model

FILE = "android/model.onnx"


class InverterFormat:
    """Writes a small ONNX file, whatever the network is, and describes a Core ML package."""

    libraries = ()

    def exporter(self, config: ExportConfig, label: Label) -> "InverterFormat":
        return self

    def export(self, network: object, folder: Path) -> ExportedFiles:
        model(folder / FILE)
        tolerance = Tolerance(max_difference=1)
        package = "ios/Model.mlpackage"
        models = [
            ModelArtifact(FILE, ONNX, "float32", onnx_contract("uint8_rgba"), tolerance, {}, None),
            ModelArtifact(package, COREML, "fp16", coreml_contract(True), tolerance, {}, None),
        ]
        return ExportedFiles(models, {FILE: "a file"})


@pytest.fixture
def fill(build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Fill":
    """Fill a folder with an inverter: fill("benchmark.sizes=[]")."""
    monkeypatch.setattr(test_images, "SIZES", ((16, 20),))
    monkeypatch.setattr(artifacts, "FORMATS", {"Inverter": InverterFormat()})
    monkeypatch.setattr(op_coverage, "mobile_verdict", lambda path: {"NNAPI": "partly"})  # it starts a process
    monkeypatch.setattr(artifacts, "validate", lambda *arguments: Validation([], [], {"node": "no tools"}))
    return Fill(build, tmp_path)


class Fill:
    def __init__(self, build: Build, folder: Path) -> None:
        self.build, self.folder = build, folder

    def __call__(self, *lines: str) -> artifacts.BuiltBundle:
        config = compose("export", ["checkpoint=x", "output=y", *lines])
        return artifacts.fill(self.build("tiny"), self.folder, config, LABEL, lambda line: None)


def test_fill_collects_what_exporters_and_validation_return(fill: Fill) -> None:
    built = fill("benchmark.sizes=[]")
    assert [artifact.file for artifact in built.models] == [FILE, "ios/Model.mlpackage"]
    assert [*built.descriptions] == [FILE, "golden/", "preview/"]
    assert built.skipped_runtimes == {"node": "no tools"}
    assert built.measured is None and not (fill.folder / MEASURED).exists()
    assert (fill.folder / "golden" / "20x16.stylized.png").is_file()


def test_fill_analyzes_the_graph_at_four_sizes(fill: Fill) -> None:
    graph = fill("benchmark.sizes=[]").graph
    assert [str(row.size) for row in graph.memory] == ["256x256", "512x512", "1024x1024", "1920x1080"]
    assert graph.operators["Pad"] == 1
    assert graph.execution_providers == {"CPU": "yes: it ran here", "NNAPI": "partly"}


def test_fill_measures_onnx_files_alone(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Latency("impasto-latency-1", "a processor", 1, [LatencyRow(FILE, 64, 48, 1, 1.5, None)])

    def measure(folder: Path, names: Sequence[str], *arguments: object) -> Latency:
        assert [*names] == [FILE]
        return measured

    monkeypatch.setattr(latency, "measure", measure)
    assert fill("benchmark.sizes=[64x48]").measured == measured
    assert Latency.from_json(checksummed_json.read(fill.folder / MEASURED)) == measured


def test_reference_rounds_and_clamps_to_bytes(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.tensor([[[-3.0, 254.4, 300.0], [0.6, 7.0, 1.4]]]).permute(2, 0, 1)[None]  # [1, 3, height, width]
    monkeypatch.setattr(transform_net, "stylize", lambda network, pixels: values)
    stylized = artifacts.reference(build("tiny"))(np.zeros((1, 2, 3), np.uint8))
    assert stylized.dtype == np.uint8 and stylized.tolist() == [[[0, 254, 255], [1, 7, 1]]]
