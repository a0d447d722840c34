"""The runtimes of Core ML packages: the reference interpreter in two precisions, and Core ML itself on a Mac."""

import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs import extras
from impasto.export.contract import ModelArtifact, StyledArtifact, style_weights
from impasto.export.coreml.contracts import COREML, MIL_INTERPRETER
from impasto.export.runtime import OnStep, Runtime
from impasto.export.test_images import Pixels, extremes

if TYPE_CHECKING:
    from impasto.export.coreml.mil_interpreter import Program

Programs = dict[tuple[Path, str], "Program"]
"""The loaded functions of packages; interpreters share them, since coremltools takes long to read one."""


class _PackageRuntime(Runtime):
    """What the runtimes of Core ML packages have in common."""

    def missing(self) -> str | None:
        """Return a sentence on what reading Core ML packages needs and this machine lacks."""
        if sys.platform == "win32":
            return "reading Core ML packages needs Core ML Tools, which does not run on Windows"
        predicate = extras.missing("export")
        return predicate and f"reading Core ML packages {predicate}"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is a Core ML package."""
        return artifact.format == COREML

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run on each image [H, W, 3 or 4] the function of its size; returns RGB [H, W, 3]. Raises CheckFailed."""
        functions = {(size.height, size.width): name for name, size in artifact.functions.items()}
        weights = style_weights(artifact)
        return [
            self._predict(folder / artifact.file, functions[image.shape[0], image.shape[1]], image[..., :3], weights)
            for image in images
        ]

    @abstractmethod
    def _predict(self, path: Path, function: str, rgb: Pixels, weights: tuple[float, ...]) -> Pixels:
        """Run a function of a package on RGB [H, W, 3]; `weights` are those of the styles that it blends, if any."""


class Interpreter(_PackageRuntime):
    """The reference interpreter; `precision` is fp32 or fp16."""

    def __init__(self, precision: str, programs: Programs) -> None:
        self._precision, self._programs = precision, programs

    @property
    def name(self) -> str:
        """Its name, which says that it is not Apple's runtime."""
        return f"{MIL_INTERPRETER}, {self._precision}"

    def preflight(self, folder: Path, artifacts: Sequence[ModelArtifact], on_progress: OnStep) -> bool:
        """Raise CheckFailed where fp16 arithmetic overflows on flat and saturated images, at the smallest size."""
        if self._precision != "fp16":
            return False
        height, width, function, file = min(
            (size.height, size.width, name, artifact.file)
            for artifact in artifacts
            for name, size in artifact.functions.items()
        )
        on_progress(f"{MIL_INTERPRETER} runs {file} on flat and saturated images")
        program = self._program(folder / file, function)
        weights = next((artifact.style_weights for artifact in artifacts if isinstance(artifact, StyledArtifact)), ())
        for pixels in extremes(height, width):
            program(pixels, "fp16", weights if program.blends else ())
        return True

    def _predict(self, path: Path, function: str, rgb: Pixels, weights: tuple[float, ...]) -> Pixels:
        return self._program(path, function)(rgb, self._precision, weights)

    def _program(self, path: Path, function: str) -> "Program":
        from impasto.export.coreml import mil_interpreter  # loads torch and coremltools

        key = path, function
        if key not in self._programs:
            self._programs[key] = mil_interpreter.load(path, function)
        return self._programs[key]


class CoreML(_PackageRuntime):
    """Core ML itself, on a Mac."""

    @property
    def name(self) -> str:
        """Its name."""
        return "Core ML"

    def _predict(self, path: Path, function: str, rgb: Pixels, weights: tuple[float, ...]) -> Pixels:
        from impasto.export.coreml import mil_interpreter

        return mil_interpreter.predict(path, rgb, function, weights)


def runtimes() -> list[Interpreter | CoreML]:
    """Return the runtimes of this machine's operating system."""
    programs: Programs = {}
    interpreters: list[Interpreter | CoreML] = [Interpreter(precision, programs) for precision in ("fp32", "fp16")]
    return [*interpreters, CoreML()] if sys.platform == "darwin" else interpreters
