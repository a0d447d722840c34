"""LiteRT on the CPU, and a simulation of a GPU that computes in fp16. No torch here."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from impasto.configs import extras
from impasto.configs.errors import CheckFailed
from impasto.export.contract import ModelArtifact, style_weights
from impasto.export.litert import half_precision, reader
from impasto.export.litert.contracts import LITERT
from impasto.export.runtime import OnStep, Runtime
from impasto.export.test_images import Pixels, extremes, opaque
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT


class LiteRtCpu(Runtime):
    """LiteRT for Python, on the CPU of this machine (XNNPACK)."""

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"LiteRT {importlib.metadata.version('ai-edge-litert')}, CPU, {platform.machine()}"

    def missing(self) -> str | None:
        """Return a sentence on what running .tflite files needs and this machine lacks."""
        predicate = extras.missing("litert")
        return predicate and f"running .tflite files {predicate}"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is a LiteRT file."""
        return artifact.format == LITERT

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run on each RGBA image [H, W, 4] the signature of its size. Raises CheckFailed."""
        from ai_edge_litert.interpreter import Interpreter

        keys = {(size.height, size.width): key for key, size in artifact.functions.items()}
        try:
            with _suppress_native_log():
                interpreter = Interpreter(str(folder / artifact.file))
                runners = [interpreter.get_signature_runner(keys[image.shape[0], image.shape[1]]) for image in images]
                weights = style_weights(artifact)
                styles = {STYLES: np.array([[[weights]]], np.float32)} if weights else {}
                return [
                    runner(**{INPUT: image[None]}, **styles)[OUTPUT][0]
                    for runner, image in zip(runners, images, strict=True)
                ]
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckFailed(f"{artifact.file} does not run in {self.name}: {reason}") from error


class HalfPrecision(Runtime):
    """The operators of a LiteRT file in NumPy, each result rounded to fp16."""

    name = "LiteRT graph in simulated fp16"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is a LiteRT file."""
        return artifact.format == LITERT

    def preflight(self, folder: Path, artifacts: Sequence[ModelArtifact], on_progress: OnStep) -> bool:
        """Raise CheckFailed where fp16 arithmetic overflows on flat and saturated images, at the smallest size."""
        for artifact in artifacts:
            on_progress(f"{self.name} runs {artifact.file} on flat and saturated images")
            size = min(artifact.functions.values(), key=lambda size: size.width * size.height)
            self.run(folder, artifact, [opaque(rgb) for rgb in extremes(size.height, size.width)])
        return True

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run on each RGBA image [H, W, 4] the signature of its size. Raises CheckFailed."""
        keys = {(size.height, size.width): key for key, size in artifact.functions.items()}
        subgraphs = reader.subgraphs((folder / artifact.file).read_bytes(), artifact.file)
        try:
            return [
                half_precision.stylize(subgraphs[keys[image.shape[0], image.shape[1]]], image, style_weights(artifact))
                for image in images
            ]
        except (LookupError, ValueError) as error:
            raise CheckFailed(f"{artifact.file} does not run in {self.name}; export again") from error
        except CheckFailed as error:
            raise CheckFailed(f"{artifact.file}: {error}") from error


@contextmanager
def _suppress_native_log() -> Iterator[None]:
    """Discard what native code writes to stderr: LiteRT logs each start of XNNPACK there."""
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
