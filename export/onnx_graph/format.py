"""The ONNX files as a format of bundles. No torch here, except in its exporter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph.contracts import ONNX, ORT, TILED_ONNX
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.export.runtime import Runtime
from impasto.models import onnx_model
from impasto.models.contract import Label, TensorSpec
from impasto.models.ort_messages import reason

if TYPE_CHECKING:
    from impasto.export.onnx_graph.artifacts import OnnxExporter


class OnnxFormat:
    """ONNX files, .ort files, and the pair of ONNX files for large photos."""

    libraries = ("onnx", "onnxruntime")

    def exporter(self, config: ExportConfig, label: Label) -> "OnnxExporter":
        """Return what writes the files below android/."""
        from impasto.export.onnx_graph.artifacts import OnnxExporter  # loads torch

        return OnnxExporter(config, label)

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        """Raise CheckFailed unless the file has the inputs and the output of its contract; False for other files."""
        if artifact.format not in (ONNX, ORT, TILED_ONNX):
            return False
        _check_signature(folder, artifact.file, artifact.contract.inputs, artifact.contract.output)
        if artifact.tiling is not None:
            contract = artifact.tiling.stats_contract
            _check_signature(folder, artifact.tiling.stats, contract.inputs, contract.output)
        return True

    def runtimes(self, tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
        """Return ONNX Runtime for Python."""
        return {"onnxruntime": [OnnxRuntime()]}


def _check_signature(folder: Path, name: str, inputs: Sequence[TensorSpec], output: TensorSpec) -> None:
    try:
        session = onnx_model.open_session(folder / name)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise CheckFailed(f"{name} cannot be opened by ONNX Runtime: {reason(error)}") from error
    for specs, values in ((inputs, session.get_inputs()), ([output], session.get_outputs())):
        actual = [(value.name, value.type, _fixed_sides(value.shape)) for value in values]
        promised = [
            (spec.name, f"tensor({spec.type.replace('float32', 'float')})", _fixed_sides(spec.shape)) for spec in specs
        ]
        if actual != promised:
            raise CheckFailed(f"{name} has {actual} where the manifest promises {promised}")


def _fixed_sides(shape: Sequence[Any]) -> list[int | None]:
    """A shape, with None for each side that the caller chooses."""
    return [side if isinstance(side, int) else None for side in shape]
