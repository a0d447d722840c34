"""Verify a bundle: its files, then its models. Every check is run, and reported, even where an earlier one failed."""

import importlib.metadata
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import RUNTIMES
from impasto.configs.schema.verify import VerifyConfig
from impasto.configs.terminal import printable
from impasto.export import test_images
from impasto.export.bundle import licenses
from impasto.export.bundle.manifest import BLEND, MANIFEST, Manifest
from impasto.export.contract import ModelArtifact, styled
from impasto.export.onnx_graph.contracts import ONNX
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.export.runtime import tools_folder
from impasto.export.validation import runtimes
from impasto.export.validation.checks import Check, Checks
from impasto.export.validation.parity import ParityResult
from impasto.export.validation.suite import Reference, Validation, validate
from impasto.models.typed_json import TypedJson

FORMAT: Final = "impasto-verification-1"
SCHEMA_FILE = Path(__file__).parents[1] / "schemas" / "verification.schema.json"
_TAMPERED = "not run, because the files are not those of the bundle"


@dataclass(frozen=True)
class Verification(TypedJson):
    """What impasto-verify writes to `json=`."""

    format: Literal["impasto-verification-1"]
    impasto: str
    """The version that verified the bundle."""
    bundle: str
    """The name of the bundle's folder."""
    style: str | None
    """The name of the style; null if the manifest cannot be read."""
    digest: str | None
    """The SHA-256 of SHA256SUMS; null if the manifest cannot be read."""
    passed: bool
    """Whether no check failed, and at least one picture was compared."""
    checks: list[Check]
    """Every check, in the order in which they ran."""
    parity: list[ParityResult]
    """The difference of each picture of each model in each runtime."""
    skipped_runtimes: dict[str, str]
    """The reason for each runtime that did not run."""

    @property
    def failures(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.status == "failed"]


def verify(
    folder: Path, config: VerifyConfig, on_progress: Callable[[str], object]
) -> tuple[Verification, UsageError | None]:
    """Verify a bundle.

    Args:
        folder: The bundle.
        config: The configuration.
        on_progress: Receives a line on the current step.

    Returns:
        The outcome; and the error where the folder is not a bundle of this format, which no check can mend.
    """
    checks = Checks()
    try:
        manifest = Manifest.load(folder)
    except (CheckFailed, OSError, UsageError) as error:
        checks.fail("manifest", MANIFEST, str(error))
        wrong_request = error if isinstance(error, UsageError) else None
        return _outcome(folder, None, checks, Validation([], [], {})), wrong_request
    on_progress("checking the files")
    checks.run("manifest", MANIFEST, lambda: None)
    if config.digest is not None:
        checks.run("digest", "digest", lambda: _check_digest(manifest.digest(folder), config.digest))
    for name in manifest.names(folder):
        checks.run("files", name, lambda name=name: manifest.check_file(folder, name))  # type: ignore[misc]
    changed = bool(checks.failures)
    _check_licenses(manifest, config.require_licenses, checks)
    if changed:  # a changed model is not run
        for model in manifest.models:
            checks.skip("parity", model.file, _TAMPERED)
        return _outcome(folder, manifest, checks, Validation([], [], {})), None
    validation = validate_models(folder, manifest, config, on_progress, checks)
    return _outcome(folder, manifest, checks, validation), None


def validate_models(
    folder: Path, manifest: Manifest, config: VerifyConfig, on_progress: Callable[[str], object], checks: Checks
) -> Validation:
    """Run the validation of impasto-export on a bundle. Its fp32 ONNX file replaces the network as the reference."""
    named, tools = config.runtimes or [], tools_folder(config.tools_dir)
    keys = named or RUNTIMES
    validation = Validation([], [], {})
    for place, models, style in _variants(manifest):
        golden: list[test_images.GoldenImage] = []
        checks.run("parity", f"{place}/", partial(_read_golden, golden, folder / place, style))
        reference = _reference(folder, models, style)
        one = validate(folder, models, golden, reference, keys, tools, on_progress, checks)
        validation = Validation(
            [*validation.results, *one.results],
            [*dict.fromkeys([*validation.ran, *one.ran])],
            validation.skipped_runtimes | one.skipped_runtimes,
        )
    failed = runtimes.not_run(named, validation.ran, validation.skipped_runtimes)
    for key, reason in validation.skipped_runtimes.items():
        if key not in failed:
            checks.skip("runtime", key, reason)
    for key, reason in failed.items():
        checks.fail("runtime", key, runtimes.demand(key, reason))
    if not validation.results and not checks.failures:
        checks.fail("parity", "pictures", "no picture was compared: no runtime runs a model of the bundle")
    return validation


def _variants(manifest: Manifest) -> Iterator[tuple[str, Sequence[ModelArtifact], str]]:
    """The folders of golden images, each with the models to compare, and the style or blend that it shows."""
    if manifest.store is None:
        yield test_images.FOLDER, manifest.models, ""
        return
    for place, named in manifest.store.golden.items():
        weights = manifest.store.weights(place)
        models = [model for each in manifest.models if (model := styled(each, weights)) is not None]
        yield place, models, next(iter(named)) if len(named) == 1 else BLEND


def _read_golden(images: list[test_images.GoldenImage], folder: Path, style: str) -> None:
    images.extend(test_images.read(folder, style))


def _reference(folder: Path, models: Sequence[ModelArtifact], style: str) -> Reference:
    """The float32 ONNX file of a bundle as the reference."""
    original = next((model for model in models if model.format == ONNX and model.weights == "float32"), None)

    def stylize(rgb: test_images.Pixels) -> test_images.Pixels:
        if original is None:
            raise CheckFailed("the bundle has no float32 ONNX file to compare with; export it again")
        return OnnxRuntime().run(folder, original, [test_images.opaque(rgb)])[0][..., :3]

    return Reference(original.file if original else "", stylize, style)


def _check_licenses(manifest: Manifest, required: bool, checks: Checks) -> None:
    report = checks.fail if required else checks.skip
    for part, sentence in licenses.absent(manifest.licenses, manifest.checkpoint.card).items():
        report("licenses", part, sentence)
    if licenses.LICENSE not in manifest.files:
        report("licenses", licenses.LICENSE, "the text of the license of the code is missing; export again")
    for entry in manifest.licenses:
        unknown = licenses.missing([entry])
        if not unknown:
            checks.run("licenses", entry.part, lambda: None)
        for sentence in unknown:
            report("licenses", entry.part, sentence)


def _outcome(folder: Path, manifest: Manifest | None, checks: Checks, validation: Validation) -> Verification:
    return Verification(
        format=FORMAT,
        impasto=importlib.metadata.version("impasto"),
        bundle=printable(folder.resolve().name),
        style=manifest.style.name if manifest else None,
        digest=manifest.digest(folder) if manifest else None,
        passed=not checks.failures,
        checks=checks.done,
        parity=validation.results,
        skipped_runtimes=validation.skipped_runtimes,
    )


def _check_digest(actual: str, expected: str | None) -> None:
    if actual != expected:
        raise CheckFailed(f"the bundle has the digest {actual}, not {expected}: it is another one, or was changed")


def verification_schema() -> dict[str, Any]:
    """Return the JSON schema of `json=`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Verification.schema()}


def write_schema(path: Path) -> None:
    """Write the JSON schema; `python -m impasto.export.bundle.verification` writes SCHEMA_FILE."""
    path.write_text(json.dumps(verification_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema(SCHEMA_FILE)
