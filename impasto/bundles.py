"""Write and verify bundles for apps: impasto-export and impasto-verify in Python.

PyTorch is imported by `export`; `verify` needs it for Core ML packages alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.extras import require
from impasto.models.progress import show_progress, spinner
from impasto.settings import Overrides, PathLike, compose

if TYPE_CHECKING:
    from impasto.export.bundle.manifest import Manifest
    from impasto.export.bundle.verification import Verification
    from impasto.export.validation.latency import Latency


@dataclass(frozen=True)
class Bundle:
    """A bundle that `export` wrote.

    Attributes:
        folder: Its folder; its README.md is for the app developer.
        digest: The SHA-256 of its SHA256SUMS, for `verify`.
        manifest: The content of manifest.json: the models with their contracts, parity, licenses, provenance.
        latency: Latency and memory by model and size on this machine; None if `benchmark.sizes` is empty.
    """

    folder: Path
    digest: str
    manifest: "Manifest" = field(repr=False)
    latency: "Latency | None" = field(repr=False)


def export(
    checkpoint: PathLike,
    output: PathLike,
    *,
    model: str | None = None,
    style: str | None = None,
    overrides: Overrides | None = None,
    progress: bool = True,
) -> Bundle:
    """Export a checkpoint as a bundle of ONNX, LiteRT and Core ML files for app developers.

    Args:
        checkpoint: A checkpoint of `train`, a run directory, or `zoo/PAINTING`.
        output: The bundle's folder. An existing bundle is replaced.
        model: Which network of the zoo: `mobile` by default, `tiny` or `studio`.
        style: The style of a store to export as a network of one painting; None exports the whole store.
        overrides: Keys of impasto-export, as in `{"coreml.sizes": []}`, which exports no Core ML packages.
        progress: Whether to show the current step in a terminal.

    Returns:
        The bundle.

    Raises:
        UsageError: A setting, the checkpoint or the folder cannot be used, or a library is not installed.
        CheckFailed: A file differs from the network by more than its tolerance.

    Examples:
        >>> fast = {"coreml.sizes": [], "benchmark.sizes": [], "parity.runtimes": ["onnxruntime"]}
        >>> bundle = impasto.export("zoo/starry_night/tiny", "bundle", overrides=fast, progress=False)
        >>> bundle.manifest.style.name
        'starry_night'
    """
    require("export", "impasto.export")
    config, _ = compose(
        "export", {"checkpoint": checkpoint, "output": output, "model": model, "style": style}, overrides
    )
    with show_progress(progress), spinner("reading the checkpoint") as on_progress:
        from impasto.export.bundle import writer

        manifest, built = writer.write(config, on_progress)
    folder = Path(config.output)
    return Bundle(folder, manifest.digest(folder), manifest, built.measured)


def verify(
    bundle: PathLike,
    *,
    runtimes: Sequence[str] | None = None,
    digest: str | None = None,
    require_licenses: bool = False,
    overrides: Overrides | None = None,
    progress: bool = True,
) -> "Verification":
    """Verify a bundle's checksums, golden images and parity on this machine.

    Args:
        bundle: The bundle's folder.
        runtimes: Runtimes in which the models must run; None takes each that is installed.
        digest: The digest that the bundle must have.
        require_licenses: Whether a part without a license fails.
        overrides: Further keys of impasto-verify, as in `{"junit": "verify.xml"}`.
        progress: Whether to show the current step in a terminal.

    Returns:
        The results of all checks.

    Raises:
        UsageError: The folder is not a bundle, or a setting is invalid.
        CheckFailed: A check failed; its `report` has the results of all checks.

    Examples:
        >>> report = impasto.verify("bundle", runtimes=["onnxruntime"], progress=False)
        >>> report.passed, report.skipped_runtimes
        (True, {})
    """
    keys = {"bundle": bundle, "runtimes": runtimes and [*runtimes], "digest": digest}
    config, _ = compose("verify", {**keys, "require_licenses": require_licenses}, overrides)
    from impasto.export.commands import verify as command

    with show_progress(progress):
        report, error = command.verify(config)
    if error is not None:
        raise error
    return report
