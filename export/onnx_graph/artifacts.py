"""The Android files of a bundle: the network as ONNX in three storages, as .ort, and as a pair for large photos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ExportConfig, OnnxConfig, ParityConfig
from impasto.export import client_files, fp16_rescale
from impasto.export.contract import ExportedFiles, ImageSize, ModelArtifact, Tolerance, in_16_bits
from impasto.export.onnx_graph import styles, tiled_pair, weight_compression
from impasto.export.onnx_graph.contracts import NPU_FILE, ONNX, ORT, QNN
from impasto.models import onnx_writer, transform_net
from impasto.models.contract import Label, onnx_contract
from impasto.models.onnx_model import IN_BUNDLE
from impasto.models.store import Store

_DESCRIPTIONS = {
    "android/model.onnx": "for ONNX Runtime 1.14 and later, 32-bit floats: the reference",
    "android/model.fp16.onnx": "the same with weights stored in 16 bits; computes in 32",
    "android/model.int8.onnx": "the same with weights stored in 8 bits; computes in 32: **the smallest, use this one**",
    "android/model.ort": "`model.onnx` in ONNX Runtime's own format, which a reduced build of the library requires",
    "android/model.required_operators.config": (
        "the operators that such a build must include (`build.py --include_ops_by_config`)"
    ),
    NPU_FILE: "for Qualcomm's NPU: RGB floats of one fixed size, weights stored in 16 bits",
    client_files.SHRINKER_RULES: "rules that R8 and ProGuard need in release builds",
}
_UINT8_DESCRIPTIONS = {
    client_files.KOTLIN: "stylizes a `Bitmap`: copy it into the app, or add the folder as a Gradle module",
    **dict.fromkeys(client_files.KOTLIN_PARTS, "required by both clients"),
    client_files.KOTLIN_LITERT: "runs `model.tflite` on the GPU, if LiteRT is in the app",
    client_files.KOTLIN_PHOTOS: "decodes a photo upright",
    client_files.KOTLIN_FRAMES: "frames of a camera or a video, with less flicker",
    client_files.KOTLIN_CAMERA: "the frames of CameraX",
    client_files.KOTLIN_VIDEO: "a video effect of Media3",
    **dict.fromkeys(client_files.GRADLE_MODULE, "makes the folder a Gradle module"),
    client_files.KOTLIN_BITMAPS: "required by both clients: reads every kind of `Bitmap`",
    client_files.KOTLIN_CONTROLS: "strength, colors and masks, for both clients",
    client_files.KOTLIN_STROKES: "strokes of the painting's size on photos of any size, for both clients",
    client_files.KOTLIN_GRAIN: "the smooth noise that some styles add to a photo, for both clients",
    tiled_pair.STATS: "for large photos: measures the statistics of a photo; weights stored in 16 bits",
    tiled_pair.TILE: "stylizes a tile of that photo with these statistics",
    client_files.KOTLIN_LARGE: "runs these two files on a `Bitmap` of any size",
    client_files.KOTLIN_STATISTICS: "required by StyleTransferLarge.kt",
}
_NEEDS_OTHER_MODELS = (
    *(client_files.KOTLIN_LITERT, client_files.KOTLIN_LARGE, client_files.KOTLIN_STATISTICS),
    *(tiled_pair.STATS, tiled_pair.TILE),
)
_STYLE, _LAYOUT = "android/style.onnx", "android/style.txt"
_STORE_DESCRIPTIONS = {
    _STYLE: "the first style alone, with weights stored in 8 bits: the app writes the norms of any style into it",
    _LAYOUT: "where they are in the file, and the SHA-256 of the network that a style must fit",
    client_files.KOTLIN_STORE: "gives the model of a style, or of a blend, from these two and the style files",
    **{name: text for name, text in _UINT8_DESCRIPTIONS.items() if name not in _NEEDS_OTHER_MODELS},
}
_LAYOUT_FORMAT = "impasto-store-1"


class OnnxExporter:
    """Writes the files below android/."""

    def __init__(self, config: ExportConfig, label: Label) -> None:
        self._config, self._label = config, label
        if label.styles:
            _require_one_of("onnx.io", config.onnx.io, ["uint8_rgba"])
            _require_one_of("onnx.npu_size", config.onnx.npu_size, ["auto", "none"])
            _require_one_of("onnx.tile", config.onnx.tile, [OnnxConfig.tile])

    def export(self, network: transform_net.TransformNet | Store, folder: Path) -> ExportedFiles:
        """Write the files of a network or a store, in evaluation mode and on the CPU, into a bundle."""
        count = len(network.networks) if isinstance(network, Store) else 0
        io, limits = self._config.onnx.io, self._config.parity.of_passes(network.passes)
        npu = self._config.onnx.npu_shape(self._label.stroke_resolution, network.stride)
        fixed_shapes = self._config.onnx.shapes(network.stride)
        path = folder / IN_BUNDLE
        path.parent.mkdir(parents=True)
        onnx_writer.write(network, path, io, self._label)
        model = onnx.load(path)

        def artifact(file: Path, form: str, weights: str, tolerance: Tolerance) -> ModelArtifact:
            name = file.relative_to(folder).as_posix()
            return ModelArtifact(name, form, weights, onnx_contract(io, styles=count), tolerance, {}, None)

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
        descriptions = dict(_DESCRIPTIONS)
        for height, width in fixed_shapes:
            size = ImageSize(width, height)
            file = path.with_stem(f"{path.stem}_{size}")
            onnx_writer.write(network, file, io, self._label, (height, width))
            fixed = replace(artifact(file, ONNX, "float32", exact), contract=onnx_contract(io, (height, width), count))
            artifacts.append(replace(fixed, functions={"main": size}))
            descriptions[fixed.file] = f"`model.onnx` for images of {size} only, for libraries such as OpenCV's dnn"
        if npu is not None and not isinstance(network, Store):
            artifacts.append(_write_npu(network, folder, npu, self._label, limits))
        client_files.copy([client_files.SHRINKER_RULES], folder)
        if io != "uint8_rgba":
            return ExportedFiles(artifacts, descriptions)
        if isinstance(network, Store):
            artifacts.append(self._write_style(network, weight_compression.int8_stored(model), folder))
            names = *client_files.CLIENTS, *client_files.STORE_CLIENTS, *client_files.GRADLE_MODULE
            client_files.copy((name for name in names if name in _STORE_DESCRIPTIONS), folder)
            return ExportedFiles(artifacts, descriptions | _STORE_DESCRIPTIONS)
        artifacts.append(tiled_pair.write(model, folder, self._config.onnx.tile, fp16))
        kotlin = (name for name in client_files.CLIENTS if name in _UINT8_DESCRIPTIONS)
        client_files.copy((*kotlin, *client_files.GRADLE_MODULE), folder)
        return ExportedFiles(artifacts, descriptions | _UINT8_DESCRIPTIONS)

    def _write_style(self, store: Store, model: onnx.ModelProto, folder: Path) -> ModelArtifact:
        """Write the file of the first style of a store, and where an app writes another style into it."""
        content, places = styles.layout(model, store.norms(0))
        (folder / _STYLE).write_bytes(content)
        words = " ".join(f"{offset}:{count}" for offset, count in places)
        text = f"{_LAYOUT_FORMAT}\nnetwork {store.trunk_sha256}\nnorms {words}\n"
        (folder / _LAYOUT).write_text(text, encoding="utf-8", newline="\n")
        tolerance = Tolerance(min_psnr=self._config.parity.of_passes(store.passes).int8_psnr)
        return ModelArtifact(_STYLE, ONNX, "int8", onnx_contract(self._config.onnx.io), tolerance, {}, None)


def _require_one_of(key: str, value: object, values: Sequence[object]) -> None:
    """Raise UsageError for a value that a store cannot be exported with."""
    if value not in values:
        raise UsageError(f"{key}={value} is for one painting; export a style of the store with style=NAME")


def _write_npu(
    network: transform_net.TransformNet, folder: Path, size: tuple[int, int], label: Label, limits: ParityConfig
) -> ModelArtifact:
    """Write the file for an NPU: float RGB of a fixed size, in the range and the normal numbers of fp16."""
    path = folder / NPU_FILE
    safe = fp16_rescale.fp16_safe(network, fp16_rescale.calibration_images())
    onnx_writer.write(safe, path, "float32_rgb", label, size, fold_scale=False)
    path.write_bytes(weight_compression.fp16_stored(onnx.load(path)).SerializeToString(deterministic=True))
    return ModelArtifact(
        file=NPU_FILE,
        format=ONNX,
        weights="fp16",
        contract=onnx_contract("float32_rgb", size),
        tolerance=Tolerance(max_difference=limits.fp16),
        functions={"main": ImageSize(*size[::-1])},
        tiling=None,
        runtime_tolerances={QNN: in_16_bits(limits.qnn, limits.coreml_psnr, network.passes)},
    )
