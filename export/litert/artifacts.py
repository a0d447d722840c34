"""The LiteRT file of a bundle."""

from pathlib import Path

from impasto.configs.schema.export import ExportConfig
from impasto.export import fp16_rescale
from impasto.export.contract import ExportedFiles, ImageSize, ModelArtifact, Tolerance, in_16_bits
from impasto.export.litert import writer
from impasto.export.litert.contracts import FILE, FP16, GPU, LITERT, litert_contract, signature
from impasto.models import transform_net
from impasto.models.contract import Label
from impasto.models.store import Store, networks_of

_DESCRIPTION = (
    "for LiteRT (TensorFlow Lite), of fixed sizes, one per signature, with weights stored in 16 bits; written for the "
    "GPU of a phone"
)


class LiteRtExporter:
    """Writes android/model.tflite, unless litert.sizes is empty."""

    def __init__(self, config: ExportConfig, label: Label) -> None:
        self._config, self._label = config, label

    def export(self, network: transform_net.TransformNet | Store, folder: Path) -> ExportedFiles:
        """Write the file of a network or a store, in evaluation mode and on the CPU, into a bundle."""
        sizes = self._config.litert.shapes(self._label.stroke_resolution, network.stride)
        if not sizes:
            return ExportedFiles([], {})
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        writer.write(_fp16_safe(network), path, sizes, self._label)
        limits = self._config.parity.of_passes(network.passes)
        model = ModelArtifact(
            file=FILE,
            format=LITERT,
            weights="fp16",
            contract=litert_contract(len(network.networks) if isinstance(network, Store) else 0),
            tolerance=Tolerance(max_difference=limits.litert),
            functions={signature(height, width): ImageSize(width, height) for height, width in sizes},
            tiling=None,
            runtime_tolerances={
                GPU: Tolerance(max_difference=limits.litert_gpu),
                FP16: in_16_bits(limits.litert_fp16, limits.coreml_psnr, network.passes),
            },
        )
        return ExportedFiles([model], {FILE: _DESCRIPTION})


def _fp16_safe(network: transform_net.TransformNet | Store) -> transform_net.TransformNet | Store:
    """The network or the store in the range of fp16."""
    images = fp16_rescale.calibration_images()
    if not isinstance(network, Store):
        return fp16_rescale.fp16_safe(network, images)
    return Store(fp16_rescale.fp16_safe_all(networks_of(network), images)).eval()
