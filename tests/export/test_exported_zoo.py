"""Exported files stay bit for bit what they were: a new release must not change a shipped model unnoticed."""

import hashlib
import json

import onnx
import pytest

from impasto.models import zoo
from tests.assets.make_exported_zoo import HASHES, NETWORKS, hashes, without_versions


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_export_of_a_zoo_network_gives_the_committed_bytes(name: str) -> None:
    assert hashes(name) == json.loads(HASHES.read_text())[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_zoo_file_is_the_int8_export_of_its_checkpoint(name: str) -> None:
    shipped = without_versions(onnx.load(zoo.resolve(name, ".onnx")))
    data = shipped.SerializeToString(deterministic=True)
    assert hashlib.sha256(data).hexdigest() == json.loads(HASHES.read_text())[name]["int8"]
