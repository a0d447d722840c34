"""Fixtures for the tests of impasto-preview."""

from pathlib import Path

import pytest

from impasto.export.validation import ort_web
from tests.helpers.preview import write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with a placeholder for its model."""
    return write_bundle(tmp_path / "bundle", {"android/model.onnx": bytes(range(256))})


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A tools folder with placeholder files."""
    folder = tmp_path / "tools"
    (folder / "node_modules/onnxruntime-web/dist").mkdir(parents=True)
    for name in ort_web.RUNTIME:
        (folder / "node_modules/onnxruntime-web/dist" / name).write_text("runtime")
    return folder
