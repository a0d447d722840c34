"""Validate the models of a bundle: contracts, and parity in each available runtime. ONNX files need no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from impasto.configs.errors import CheckFailed
from impasto.export.contract import ModelArtifact
from impasto.export.formats import FORMATS
from impasto.export.onnx_graph import tiling
from impasto.export.runtime import OnStep, Runtime
from impasto.export.test_images import GoldenImage, Stylize, golden_image
from impasto.export.validation.checks import Checks
from impasto.export.validation.parity import ParityResult, assert_within_tolerance, compare
from impasto.export.validation.runtimes import available


@dataclass(frozen=True)
class Reference:
    """What computes reference images of sizes that no golden image has: its name, and the function.

    `style` names the style of a store that it computes, or a blend.
    """

    name: str
    stylize: Stylize
    style: str = ""


@dataclass(frozen=True)
class Validation:
    """The parity results; of the runtimes, by their keys, those that ran, and the reason for each that did not."""

    results: list[ParityResult]
    ran: list[str]
    skipped_runtimes: dict[str, str]


def validate(
    folder: Path,
    artifacts: Sequence[ModelArtifact],
    golden: Sequence[GoldenImage],
    reference: Reference,
    runtimes: Sequence[str],
    tools: Path | None,
    on_progress: OnStep,
    checks: Checks,
) -> Validation:
    """Run the models of a bundle, and compare their images with the reference.

    Args:
        folder: The bundle.
        artifacts: The models to validate.
        golden: The images for models that take any size; they hold PyTorch's output.
        reference: Computes the expected output for models of fixed sizes that no golden image has.
        runtimes: Keys of parity.runtimes.
        tools: The folder that `make tools` fills, or None.
        on_progress: Receives a line on the current step.
        checks: Receives each check: a model's contract, the preflight of a runtime, and a model in a runtime, which
            fails if it does not run, changes the size or alpha of an image, or differs by more than its tolerance.

    Raises:
        CheckFailed: A check fails, and `checks.fail_fast` is set.
    """
    ending = f", {reference.style}" if reference.style else ""
    for artifact in artifacts:
        for form in FORMATS.values():
            checks.run("contract", artifact.file, partial(form.check, folder, artifact))
    by_key, skipped = available(runtimes, tools, artifacts)
    images = _Images(golden, reference)
    results: list[ParityResult] = []

    def compare_all(key: str, runtime: Runtime, artifact: ModelArtifact) -> None:
        on_progress(f"{runtime.name} runs {artifact.file}")
        expected = images.for_model(artifact)
        if not expected:
            raise CheckFailed(f"{artifact.file} was compared with nothing: no golden image can be read")
        outputs = runtime.run(folder, artifact, [image.photo for image, _ in expected])
        compared = [
            compare(image, output, artifact.file, runtime.name, artifact.tolerance_in(key), source)
            for (image, source), output in zip(expected, outputs, strict=True)
        ]
        results.extend(compared)
        assert_within_tolerance(compared)

    for key, group in by_key.items():
        for runtime in group:
            supported = [artifact for artifact in artifacts if runtime.supports(artifact)]
            checks.run("preflight", runtime.name, partial(runtime.preflight, folder, supported, on_progress))
        for artifact in artifacts:
            for runtime in (runtime for runtime in group if runtime.supports(artifact)):
                name = f"{artifact.file} in {runtime.name}{ending}"
                checks.run("parity", name, partial(compare_all, key, runtime, artifact))
    return Validation(results, [*by_key], skipped)


class _Images:
    """The golden images for each model, with the name of what computed them; each is computed once."""

    def __init__(self, golden: Sequence[GoldenImage], reference: Reference) -> None:
        self._golden = [(image, "PyTorch") for image in golden]
        self._by_size = {image.photo.shape[:2]: (image, source) for image, source in self._golden}
        self._reference = reference

    def for_model(self, artifact: ModelArtifact) -> list[tuple[GoldenImage, str]]:
        sizes = [(size.height, size.width) for size in artifact.functions.values()]
        if artifact.tiling is not None:
            sizes = [tiling.several_tiles(artifact.tiling)]
        for size in sizes:
            if size not in self._by_size:
                image = golden_image(self._reference.stylize, *size, self._reference.style)
                self._by_size[size] = image, self._reference.name
        return [self._by_size[size] for size in sizes] or self._golden
