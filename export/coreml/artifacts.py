"""The iOS files of a bundle: the network as Core ML packages."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.configs.schema.model import MAX_STRIDE
from impasto.export import client_files
from impasto.export.contract import ExportedFiles, ImageSize, ModelArtifact, Tolerance
from impasto.export.coreml import exporter, store_exporter
from impasto.export.coreml.contracts import COREML, coreml_contract
from impasto.export.test_images import Pixels
from impasto.models import transform_net
from impasto.models.contract import Label
from impasto.models.image.decode import read
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import UnreadablePicture, resize
from impasto.models.store import Store

_MAX_PHOTOS = 32  # to calibrate on
_FP16 = "for Core ML on iOS 16 and later, of one fixed size, in 16-bit floats"
_INT8 = "the same with weights stored in 8 bits"
_IOS18 = "for iOS 18: all sizes in one package, as functions that share their weights"
_BLEND = "for Core ML on iOS 16 and later, of one fixed size: blends styles by a second input"
_CLIENTS = {
    client_files.SWIFT: "stylizes a `CGImage` or `CVPixelBuffer`: copy it into the app, or add the folder as a package",
    **dict.fromkeys(client_files.SWIFT_PARTS, "required by the clients"),
    client_files.SWIFT_FRAMES: "frames of a camera or a video, with less flicker",
    client_files.SWIFT_VIDEO: "a composition of AVFoundation that stylizes a video",
    client_files.SWIFT_PACKAGE: "makes the folder a Swift package",
    client_files.SWIFT_BITMAPS: "required by both clients: orientation and color space of photos",
    client_files.SWIFT_CONTROLS: "strength, colors and masks, for both clients",
    client_files.SWIFT_STROKES: "restores the photo's detail, for both clients",
    client_files.SWIFT_GRAIN: "the smooth noise that some styles add to a photo, for both clients",
}
_UINT8_CLIENTS = {
    client_files.SWIFT_LARGE: (
        "runs `android/stats.onnx` and `android/tile.onnx` on a `CGImage` of any size, in ONNX Runtime"
    ),
    client_files.SWIFT_STATISTICS: "required by StyleTransferLarge.swift",
    client_files.SWIFT_TILING: "required by StyleTransferLarge.swift",
}
_STORE_CLIENTS = {
    client_files.SWIFT_STORE: "gives the `StyleTransfer` of a style or of a blend by name, from packages that blend"
}


class CoreMLExporter:
    """Writes the packages below ios/. Raises UsageError where coreml.photos has no pictures."""

    def __init__(self, config: ExportConfig, label: Label) -> None:
        self._config, self._label = config, label
        self._photos = calibration_photos(config.coreml.photos)

    def export(self, network: transform_net.TransformNet | Store, folder: Path) -> ExportedFiles:
        """Write the packages of a network or a store, in evaluation mode and on the CPU, into a bundle."""
        (folder / "ios").mkdir()
        limits = self._config.parity.of_passes(network.passes)
        tolerances = {
            "fp16": Tolerance(min_psnr=limits.coreml_psnr),
            "int8": Tolerance(min_psnr=limits.coreml_int8_psnr),
        }
        shapes = self._config.coreml.shapes(self._label.stroke_resolution, network.stride)
        clients = _CLIENTS | (_UINT8_CLIENTS if self._config.onnx.io == "uint8_rgba" else {})
        styles = len(self._label.styles)
        if isinstance(network, Store):
            packages = store_exporter.write_all(network, folder / "ios", shapes, self._label, self._photos)
            clients = _CLIENTS | _STORE_CLIENTS
        else:
            packages = exporter.write_all(network, folder / "ios", shapes, self._label, self._photos)
        client_files.copy(clients, folder)
        models = [
            ModelArtifact(
                file=f"ios/{package.name}",
                format=COREML,
                weights=package.weights,
                contract=coreml_contract(True) if package.name == exporter.IOS18 else coreml_contract(False, styles),
                tolerance=tolerances[package.weights],
                functions={name: ImageSize(width, height) for name, (height, width) in package.functions.items()},
                tiling=None,
            )
            for package in packages
        ]
        return ExportedFiles(models, _descriptions(packages) | clients)


def _descriptions(packages: Sequence[exporter.Package]) -> dict[str, str]:
    """Describe the packages: first those of fp16 weights, then those of 8-bit weights, then the one for iOS 18."""
    single = sorted(package.name for package in packages if package.name != exporter.IOS18)
    names = {package.name: package.weights for package in packages}
    texts = {name: _FP16 for name in single if names[name] == "fp16"}
    texts |= {name: _BLEND for name in single if name.startswith("Model_blend_")}
    texts |= {name: _INT8 for name in single if names[name] == "int8"} | {exporter.IOS18: _IOS18}
    return {f"ios/{name}": text for name, text in texts.items()}


def calibration_photos(folder: str | None) -> list[Pixels]:
    """Return up to 32 photos of a folder, with a short side of 256 px, cropped to sides that no network pads."""
    if folder is None:
        return []
    path = Path(folder).expanduser()
    paths = find_pictures(path) if path.is_dir() else []
    if not paths:
        raise UsageError(f"coreml.photos={folder} contains no pictures; name a folder of photos")
    step = -(-len(paths) // _MAX_PHOTOS)
    photos = []
    for path in paths[::step]:
        with suppress(UnreadablePicture):
            photos.append(resize(read(path).rgb, 256))
    heights_and_widths = ([side // MAX_STRIDE * MAX_STRIDE for side in rgb.shape[:2]] for rgb in photos)
    return [rgb[:height, :width] for rgb, (height, width) in zip(photos, heights_and_widths, strict=True)]
