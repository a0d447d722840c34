"""Exported files stay bit for bit what they were: a new release must not change a shipped model unnoticed."""

import hashlib
import importlib.metadata
import json
from pathlib import Path

import onnx
import pytest

from benchmarks.zoo import write_litert
from impasto.export.litert import reader
from impasto.models import checkpoint, zoo
from tests.assets.make_exported_zoo import HASHES, NETWORKS, hashes, without_versions


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_export_of_a_zoo_network_gives_the_committed_bytes(name: str) -> None:
    assert hashes(name) == json.loads(HASHES.read_text())[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_litert_file_is_the_export_of_its_checkpoint(name: str, tmp_path: Path) -> None:
    path = zoo.resolve(name, checkpoint.SUFFIX)
    shipped = path.with_suffix(zoo.LITERT).read_bytes()
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    write_litert(copy)
    own, theirs = (reader.signatures(data, name) for data in (shipped, copy.with_suffix(zoo.LITERT).read_bytes()))
    assert own == theirs and [*own] == ["size_256x256"]
    if importlib.metadata.version("impasto").encode() in shipped:  # the metadata name the version that wrote it
        assert copy.with_suffix(zoo.LITERT).read_bytes() == shipped


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_zoo_file_is_the_int8_export_of_its_checkpoint(name: str) -> None:
    shipped = without_versions(onnx.load(zoo.resolve(name, ".onnx")))
    data = shipped.SerializeToString(deterministic=True)
    assert hashlib.sha256(data).hexdigest() == json.loads(HASHES.read_text())[name]["int8"]
