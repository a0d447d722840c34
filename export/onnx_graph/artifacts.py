"""The Android files of a bundle: the network as ONNX in three storages, as .ort, and as a pair for large photos."""

from pathlib import Path

import onnx

from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import ONNX, ORT, Label, ModelArtifact, Tolerance, onnx_contract
from impasto.export.onnx_graph import exporter, tiled_pair, weight_compression
from impasto.models import transform_net
from impasto.models.onnx_model import IN_BUNDLE


class OnnxExporter:
    """Writes the files below android/."""

    def __init__(self, config: ExportConfig, label: Label) -> None:
        self._config, self._label = config, label

    def export(self, network: transform_net.TransformNet, folder: Path) -> list[ModelArtifact]:
        """Write the files of a network, in evaluation mode and on the CPU, into a bundle."""
        io, limits = self._config.onnx.io, self._config.parity
        contract = onnx_contract(io)
        path = folder / IN_BUNDLE
        path.parent.mkdir(parents=True)
        exporter.write(network, path, io, self._label)
        model = onnx.load(path)

        def artifact(file: Path, form: str, weights: str, tolerance: Tolerance) -> ModelArtifact:
            name = file.relative_to(folder).as_posix()
            return ModelArtifact(name, form, weights, contract, tolerance, {}, None)

        exact, fp16 = Tolerance(max_difference=limits.fp32), Tolerance(max_difference=limits.fp16)
        artifacts = [artifact(path, ONNX, "float32", exact)]
        for stored, weights, tolerance in (
            (weight_compression.fp16_stored(model), "fp16", fp16),
            (weight_compression.int8_stored(model), "int8", Tolerance(min_psnr=limits.int8_psnr)),
        ):
            file = path.with_suffix(f".{weights}.onnx")
            file.write_bytes(stored.SerializeToString(deterministic=True))
            artifacts.append(artifact(file, ONNX, weights, tolerance))
        ort = path.with_suffix(".ort")
        weight_compression.write_ort(path, ort, path.with_suffix(".required_operators.config"))
        artifacts.append(artifact(ort, ORT, "float32", exact))
        if io == "uint8_rgba":
            artifacts.append(tiled_pair.write(model, folder, self._config.onnx.tile, fp16))
        return artifacts
