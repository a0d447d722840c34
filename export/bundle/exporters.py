"""The registry of exporters. Each writes the files of one format into a bundle."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import Label, ModelArtifact
from impasto.export.coreml.artifacts import CoreMLExporter
from impasto.export.onnx_graph.artifacts import OnnxExporter
from impasto.models.transform_net import TransformNet


class Exporter(Protocol):
    """Writes a network in one format."""

    def export(self, network: TransformNet, folder: Path) -> list[ModelArtifact]:
        """Write the files of a network into a bundle.

        Args:
            network: A network in evaluation mode, on the CPU.
            folder: The bundle.

        Returns:
            The models that were written.

        Raises:
            CheckFailed: A written file differs from the network.
            UsageError: The network does not fit the configuration.
        """


# All are created before any is run, so that one that refuses the configuration does so before any work.
EXPORTERS: dict[str, Callable[[ExportConfig, Label], Exporter]] = {"ONNX": OnnxExporter, "Core ML": CoreMLExporter}
