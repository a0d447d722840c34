import hashlib
import importlib.metadata
import platform
from pathlib import Path

from impasto.models.provenance import run_versions, sha256, versions


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"impasto" * 100_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"impasto" * 100_000).hexdigest()


def test_versions_are_those_of_impasto_torch_and_the_named_libraries() -> None:
    assert versions("numpy") == {name: importlib.metadata.version(name) for name in ("impasto", "torch", "numpy")}
    assert run_versions() == versions() | {"python": platform.python_version()}
