"""Validate the models of a bundle: contracts, and parity in each available runtime. ONNX files need no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.export.contract import ModelArtifact
from impasto.export.formats import FORMATS
from impasto.export.onnx_graph import tiling
from impasto.export.runtime import OnStep
from impasto.export.test_images import GoldenImage, Stylize, golden_image
from impasto.export.validation.parity import ParityResult, compare
from impasto.export.validation.runtimes import available


@dataclass(frozen=True)
class Reference:
    """What computes reference images of sizes that no golden image has: its name, and the function."""

    name: str
    stylize: Stylize


@dataclass(frozen=True)
class Validation:
    """The parity results, and the reason for each runtime that did not run, by its key."""

    results: list[ParityResult]
    skipped_runtimes: dict[str, str]


def validate(
    folder: Path,
    artifacts: Sequence[ModelArtifact],
    golden: Sequence[GoldenImage],
    reference: Reference,
    runtimes: Sequence[str],
    tools: Path | None,
    on_progress: OnStep,
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

    Raises:
        CheckFailed: A model does not honor its contract, fails the preflight of a runtime, does not run, or changes the
            size or alpha of an image. A difference that exceeds its tolerance is a result, not an error.
    """
    for form in FORMATS.values():
        form.check(folder, artifacts)
    groups, skipped = available(runtimes, tools, artifacts)
    images = _Images(golden, reference)
    results = []
    for group in groups:
        for runtime in group:
            runtime.preflight(folder, [model for model in artifacts if runtime.supports(model)], on_progress)
        for artifact in artifacts:
            for runtime in (runtime for runtime in group if runtime.supports(artifact)):
                on_progress(f"{runtime.name} runs {artifact.file}")
                expected = images.for_model(artifact)
                outputs = runtime.run(folder, artifact, [image.photo for image, _ in expected])
                results += [
                    compare(image, output, artifact.file, runtime.name, artifact.tolerance, source)
                    for (image, source), output in zip(expected, outputs, strict=True)
                ]
    return Validation(results, skipped)


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
                self._by_size[size] = golden_image(self._reference.stylize, *size), self._reference.name
        return [self._by_size[size] for size in sizes] or self._golden
