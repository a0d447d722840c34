"""The iOS files of a bundle: the network as Core ML packages."""

from contextlib import suppress
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.export.contract import COREML, ImageSize, Label, ModelArtifact, Tolerance, coreml_contract
from impasto.export.coreml import exporter
from impasto.export.test_images import Pixels
from impasto.models import transform_net
from impasto.models.image.decode import read
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import UnreadablePicture, resize

_MAX_PHOTOS = 32  # to calibrate on


class CoreMLExporter:
    """Writes the packages below ios/. Raises UsageError where coreml.photos has no pictures."""

    def __init__(self, config: ExportConfig, label: Label) -> None:
        self._config, self._label = config, label
        self._photos = calibration_photos(config.coreml.photos)

    def export(self, network: transform_net.TransformNet, folder: Path) -> list[ModelArtifact]:
        """Write the packages of a network, in evaluation mode and on the CPU, into a bundle."""
        (folder / "ios").mkdir()
        limits = self._config.parity
        tolerances = {
            "fp16": Tolerance(min_psnr=limits.coreml_psnr),
            "int8": Tolerance(min_psnr=limits.coreml_int8_psnr),
        }
        packages = exporter.write_all(network, folder / "ios", self._config.coreml.shapes(), self._label, self._photos)
        return [
            ModelArtifact(
                file=f"ios/{package.name}",
                format=COREML,
                weights=package.weights,
                contract=coreml_contract(multifunction=package.name == exporter.IOS18),
                tolerance=tolerances[package.weights],
                functions={name: ImageSize(width, height) for name, (height, width) in package.functions.items()},
                tiling=None,
            )
            for package in packages
        ]


def calibration_photos(folder: str | None) -> list[Pixels]:
    """Return up to 32 photos of a folder, with a short side of 256 px, cropped to multiples of 4."""
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
    return [rgb[: rgb.shape[0] // 4 * 4, : rgb.shape[1] // 4 * 4] for rgb in photos]
