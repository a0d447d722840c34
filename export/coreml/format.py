"""The Core ML packages as a format of bundles. No torch here, except in its exporter and its runtimes."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import ExportedFiles, ModelArtifact
from impasto.export.coreml import runtime
from impasto.export.runtime import Runtime
from impasto.models.contract import Label

if TYPE_CHECKING:
    from impasto.export.coreml.artifacts import CoreMLExporter
    from impasto.models.store import Store
    from impasto.models.transform_net import TransformNet


class NoPackages:
    """The exporter where no sizes are wanted."""

    def export(self, network: "TransformNet | Store", folder: Path) -> ExportedFiles:
        """Write nothing."""
        return ExportedFiles([], {})


class CoreMLFormat:
    """Core ML packages."""

    libraries = ("coremltools",)

    def exporter(self, config: ExportConfig, label: Label) -> "CoreMLExporter | NoPackages":
        """Return what writes the files below ios/; raises UsageError if it cannot, as on Windows."""
        if config.coreml.sizes == []:
            return NoPackages()
        if sys.platform == "win32":
            raise UsageError(
                "Core ML packages cannot be written on Windows, where Core ML Tools does not run; set coreml.sizes=[]"
            )
        from impasto.export.coreml.artifacts import CoreMLExporter  # loads torch and coremltools

        return CoreMLExporter(config, label)

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        """Check nothing: the exporter reads back each package, and the runtimes need its interface."""
        return False

    def runtimes(self, tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
        """Return the reference interpreter, and on a Mac Core ML."""
        return {"coreml": runtime.runtimes()}
