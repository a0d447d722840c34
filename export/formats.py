"""The registry of formats. Each is a sub-package that writes its files into a bundle, checks them and runs them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import ExportedFiles, ModelArtifact
from impasto.export.coreml.format import CoreMLFormat
from impasto.export.litert.format import LiteRtFormat
from impasto.export.onnx_graph.format import OnnxFormat
from impasto.export.runtime import Runtime
from impasto.models.contract import Label

if TYPE_CHECKING:
    from impasto.models.store import Store
    from impasto.models.transform_net import TransformNet


class Exporter(Protocol):
    """Writes a network in one format."""

    def export(self, network: "TransformNet | Store", folder: Path) -> ExportedFiles:
        """Write the files of a network, or of a store, into a bundle.

        Args:
            network: A network or a store in evaluation mode, on the CPU.
            folder: The bundle.

        Returns:
            The models, and a description of each file.

        Raises:
            CheckFailed: A written file differs from the network.
            UsageError: The network does not fit the configuration.
        """


class Format(Protocol):
    """A format of models. Only its exporter may need torch: bundles are also verified where that is not installed."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries that write its files; the manifest records their versions."""

    def exporter(self, config: ExportConfig, label: Label) -> Exporter:
        """Return what writes the files of a bundle; raises UsageError if it cannot, before any work."""

    def check(self, folder: Path, artifact: ModelArtifact) -> bool:
        """Check a model without running it.

        Args:
            folder: The bundle.
            artifact: A model of any format.

        Returns:
            Whether there was anything to check: False for a model of another format.

        Raises:
            CheckFailed: The model does not honor its contract.
        """

    def runtimes(self, tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
        """Return the runtimes that come with this format.

        Args:
            tools: The folder that `make tools` fills, or None.

        Returns:
            The runtimes by their key of parity.runtimes.
        """


FORMATS: dict[str, Format] = {
    "ONNX": OnnxFormat(),
    "Core ML": CoreMLFormat(),
    "LiteRT": LiteRtFormat(),
}
