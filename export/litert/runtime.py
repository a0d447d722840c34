"""LiteRT on the CPU. No torch here."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from impasto.configs import extras
from impasto.configs.errors import CheckFailed
from impasto.export.contract import ModelArtifact
from impasto.export.litert.contracts import LITERT
from impasto.export.runtime import Runtime
from impasto.export.test_images import Pixels
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
                return [
                    runner(**{INPUT: image[None]})[OUTPUT][0] for runner, image in zip(runners, images, strict=True)
                ]
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckFailed(f"{artifact.file} does not run in {self.name}: {reason}") from error


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
