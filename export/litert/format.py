"""The LiteRT file as a format of bundles. No torch here, except in its exporter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import ImageSize, ModelArtifact
from impasto.export.litert import reader
from impasto.export.litert.contracts import FP16, LITERT
from impasto.export.litert.runtime import HalfPrecision, LiteRtCpu
from impasto.export.runtime import Runtime
from impasto.models.contract import Label, TensorSpec

if TYPE_CHECKING:
    from impasto.export.litert.artifacts import LiteRtExporter


class LiteRtFormat:
    """A LiteRT file."""

    libraries = ("flatbuffers",)

    def exporter(self, config: ExportConfig, label: Label) -> "LiteRtExporter":
        """Return what writes android/model.tflite; it needs no LiteRT."""
        from impasto.export.litert.artifacts import LiteRtExporter  # loads torch

        return LiteRtExporter(config, label)

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        """Raise CheckFailed unless the file has the signatures that the manifest promises; False for other files."""
        if artifact.format != LITERT:
            return False
        specs = {"inputs": artifact.contract.inputs, "outputs": (artifact.contract.output,)}
        promised = {
            key: {end: {spec.name: (spec.type, _sides(spec, size)) for spec in specs[end]} for end in specs}
            for key, size in artifact.functions.items()
        }
        actual = reader.signatures((folder / artifact.file).read_bytes(), artifact.file)
        if actual != promised:
            raise CheckFailed(f"{artifact.file} has {actual} where the manifest promises {promised}")
        return True

    def runtimes(self, tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
        """Return LiteRT on the CPU, and the simulation of a GPU that computes in fp16."""
        return {"litert": [LiteRtCpu()], FP16: [HalfPrecision()]}


def _sides(spec: TensorSpec, size: ImageSize) -> tuple[int | str, ...]:
    """The shape of an input or output at a size."""
    return tuple(getattr(size, side) if side in ("height", "width") else side for side in spec.shape)
