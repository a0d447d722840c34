"""Validate the models of a bundle: contracts, and parity in each available runtime. ONNX files need no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckFailed
from impasto.export.contract import MIL_INTERPRETER, ONNX, ORT, TILED_ONNX, ModelArtifact, TensorSpec
from impasto.export.coreml import runtime as coreml_runtime
from impasto.export.onnx_graph import tiling
from impasto.export.test_images import GoldenImage, Stylize, golden_image
from impasto.export.validation.parity import ParityResult, compare
from impasto.export.validation.runtimes import available
from impasto.models import onnx_model

OnProgress = Callable[[str], object]


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
    tools: Path,
    on_progress: OnProgress,
) -> Validation:
    """Run the models of a bundle, and compare their images with the reference.

    Args:
        folder: The bundle.
        artifacts: The models to validate.
        golden: The images for models that take any size; they hold PyTorch's output.
        reference: Computes the expected output for models of fixed sizes that no golden image has.
        runtimes: Keys of parity.runtimes.
        tools: The folder that `make tools` fills.
        on_progress: Receives a line on the current step.

    Raises:
        CheckFailed: A model does not honor its contract, does not run, or changes the size or alpha of an image. A
            difference that exceeds its tolerance is a result, not an error.
    """
    check_contracts(folder, artifacts)
    groups, skipped = available(runtimes, tools, artifacts)
    images = _Images(golden, reference)
    results = []
    for group in groups:
        if any(isinstance(runtime, coreml_runtime.Interpreter) for runtime in group):
            check_fp16_overflow(folder, artifacts, on_progress)
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


def check_contracts(folder: Path, artifacts: Sequence[ModelArtifact]) -> None:
    """Raise CheckFailed unless each ONNX file has the inputs and the output of its contract."""
    for artifact in artifacts:
        if artifact.format in (ONNX, ORT, TILED_ONNX):
            _check_signature(folder, artifact.file, artifact.contract.inputs, artifact.contract.output)
        if artifact.tiling is not None:
            contract = artifact.tiling.stats_contract
            _check_signature(folder, artifact.tiling.stats, contract.inputs, contract.output)


def _check_signature(folder: Path, name: str, inputs: Sequence[TensorSpec], output: TensorSpec) -> None:
    try:
        session = onnx_model.open_session(folder / name)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise CheckFailed(f"{name} cannot be opened by ONNX Runtime: {onnx_model.reason(error)}") from error
    for specs, values in ((inputs, session.get_inputs()), ([output], session.get_outputs())):
        actual = [(value.name, value.type, _fixed_sides(value.shape)) for value in values]
        promised = [
            (spec.name, f"tensor({spec.type.replace('float32', 'float')})", _fixed_sides(spec.shape)) for spec in specs
        ]
        if actual != promised:
            raise CheckFailed(f"{name} has {actual} where the manifest promises {promised}")


def _fixed_sides(shape: Sequence[Any]) -> list[int | None]:
    """A shape, with None for each side that the caller chooses."""
    return [side if isinstance(side, int) else None for side in shape]


def check_fp16_overflow(folder: Path, artifacts: Sequence[ModelArtifact], on_progress: OnProgress) -> None:
    """Raise CheckFailed where fp16 arithmetic overflows on flat and saturated images, at the smallest size."""
    from impasto.export.coreml import mil_interpreter  # loads torch and coremltools
    from impasto.export.test_images import extremes

    height, width, function, file = min(
        (size.height, size.width, name, artifact.file)
        for artifact in artifacts
        for name, size in artifact.functions.items()
    )
    on_progress(f"{MIL_INTERPRETER} runs {file} on flat and saturated images")
    program = mil_interpreter.load(folder / file, function)
    for pixels in extremes(height, width):
        program(pixels, "fp16")
