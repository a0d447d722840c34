"""impasto-verify: check the files of a bundle, and validate its models again on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.cli.app import run
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.verify import VerifyConfig
from impasto.configs.terminal import show
from impasto.export import test_images
from impasto.export.bundle.manifest import MANIFEST, Manifest, verify_files
from impasto.export.onnx_graph.contracts import ONNX
from impasto.export.runtime import tools_folder
from impasto.export.validation import report
from impasto.models.ort_messages import reason
from impasto.models.progress import spinner
from impasto.models.provenance import sha256

if TYPE_CHECKING:
    from impasto.export.validation.suite import Validation


def main() -> None:
    """The command."""
    run("verify", task)


def task(config: VerifyConfig) -> None:
    """Check a bundle, print the parity results, and raise CheckFailed for the first failure."""
    folder = Path(config.bundle).expanduser()
    if not folder.is_dir():
        raise UsageError(f"bundle={folder} is not a folder; name one that impasto-export wrote")
    manifest = Manifest.load(folder)
    verify_files(folder, manifest)
    with spinner("reading the bundle") as on_progress:
        try:
            validation = validate_bundle(folder, manifest, config, on_progress)
        except (CheckFailed, UsageError, MemoryError):
            raise
        except Exception as error:  # its files and its manifest may be anyone's
            name = type(error).__name__
            raise CheckFailed(
                f"bundle={folder} cannot be validated ({name}: {reason(error)}); get it again from its source"
            ) from error
    report.console().print(*report.parity(validation.results, validation.skipped_runtimes))
    failures = [failure for result in validation.results if (failure := result.failure()) is not None]
    if failures:
        raise CheckFailed(f"{failures[0]}; export the bundle again, or find out how this machine differs")
    counts = f"{len(manifest.files)} files, {len(validation.results)} pictures compared"
    show(f"{folder} is intact: {manifest.style.name}, {counts}")
    show(f"SHA-256 of {MANIFEST}: {sha256(folder / MANIFEST)}")


def validate_bundle(
    folder: Path, manifest: Manifest, config: VerifyConfig, on_progress: Callable[[str], object]
) -> "Validation":
    """Run the validation of impasto-export on a bundle. Its fp32 ONNX file replaces the network as the reference."""
    from impasto.export.onnx_graph.runtime import OnnxRuntime  # loads Pillow
    from impasto.export.validation.suite import Reference, validate

    models = [model for model in manifest.models if model.format == ONNX and model.weights == "float32"]
    if not models:
        raise CheckFailed("the manifest lists no ONNX file of float32 to compare with; get the bundle again")
    model = models[0]

    def stylize(rgb: test_images.Pixels) -> test_images.Pixels:
        return OnnxRuntime().run(folder, model, [test_images.opaque(rgb)])[0][..., :3]

    return validate(
        folder,
        manifest.models,
        test_images.read(folder / test_images.FOLDER),
        Reference(model.file, stylize),
        config.runtimes,
        tools_folder(config.tools_dir),
        on_progress,
    )
