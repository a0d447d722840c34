"""The overrides of a small bundle, and the description of a model in a test."""

from collections.abc import Callable
from pathlib import Path

from impasto.export.contract import ModelArtifact, Tolerance
from impasto.export.onnx_graph.contracts import ONNX
from impasto.models.contract import onnx_contract

SETTINGS = (
    "onnx.tile=160",
    "coreml.sizes=[96x64]",
    "benchmark.sizes=[64x48]",
    "benchmark.threads=[1]",
    "benchmark.repeats=1",
)


Written = Callable[[str, str], Path]


def artifact(path: Path, io: str = "uint8_rgba", max_difference: int = 1) -> ModelArtifact:
    """Describe an ONNX file whose folder stands for a bundle."""
    tolerance = Tolerance(max_difference=max_difference)
    return ModelArtifact(path.name, ONNX, "float32", onnx_contract(io), tolerance, {}, None)


def bytes_in(folder: Path) -> dict[str, bytes]:
    """The contents of everything below a folder, by path; a folder has none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
