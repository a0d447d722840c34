"""The Core ML packages as a format of bundles. No torch here, except in its exporter and its runtimes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import Label, ModelArtifact
from impasto.export.coreml import runtime
from impasto.export.runtime import Runtime

if TYPE_CHECKING:
    from impasto.export.coreml.artifacts import CoreMLExporter


class CoreMLFormat:
    """Core ML packages."""

    libraries = ("coremltools",)

    def exporter(self, config: ExportConfig, label: Label) -> "CoreMLExporter":
        """Return what writes the files below ios/; raises UsageError where coreml.photos has no pictures."""
        from impasto.export.coreml.artifacts import CoreMLExporter  # loads torch and coremltools

        return CoreMLExporter(config, label)

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        """Check nothing: the exporter reads back each package, and the runtimes need its interface."""
        return False

    def runtimes(self, tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
        """Return the reference interpreter, and on a Mac Core ML."""
        return {"coreml": runtime.runtimes()}
