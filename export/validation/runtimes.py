"""The registry of runtimes. A bundle's models run in each of them, and must agree. No torch here."""

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impasto.configs.errors import CheckFailed
from impasto.export.contract import INPUT, ONNX, ORT, OUTPUT, TILED_ONNX, ModelArtifact
from impasto.export.coreml import runtime as coreml_runtime
from impasto.export.onnx_graph import tiling
from impasto.export.test_images import Pixels
from impasto.export.validation import ort_arm64, ort_web
from impasto.models import onnx_model


class Runtime(Protocol):
    """A program that runs models on images."""

    @property
    def name(self) -> str:
        """Its name and version."""

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether it runs models of this format and with these inputs."""

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a model of the bundle in `folder`.

        It takes all images at once, since a runtime may be a browser, which takes seconds to start.

        Args:
            folder: The bundle.
            artifact: The model.
            images: RGBA bytes [H, W, 4].

        Returns:
            The stylized images of the same sizes: RGBA bytes [H, W, 4], or RGB bytes [H, W, 3].

        Raises:
            CheckFailed: The runtime fails.
        """


class OnnxRuntime:
    """ONNX Runtime for Python, on the CPU of this machine."""

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"ONNX Runtime {importlib.metadata.version('onnxruntime')}, {platform.machine()}"

    def missing(self) -> None:
        """Return None: it is a dependency."""

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is an ONNX or .ort file."""
        return artifact.format in (ONNX, ORT, TILED_ONNX)

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]; a file with float input returns RGB. Raises CheckFailed."""
        try:
            session = onnx_model.open_session(folder / artifact.file)
            if artifact.tiling is not None:
                stats = onnx_model.open_session(folder / artifact.tiling.stats)
                return [
                    tiling.stylize(session, image, tiling.measure(stats, image), artifact.tiling) for image in images
                ]
            run = _run_uint8 if session.get_inputs()[0].type == "tensor(uint8)" else _run_float32
            return [run(session, image) for image in images]
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise CheckFailed(f"{artifact.file} does not run in {self.name}: {onnx_model.reason(error)}") from error


def _run_uint8(session: Any, image: Pixels) -> Pixels:
    (stylized,) = session.run([OUTPUT], {INPUT: image[None]})
    return stylized[0]


def _run_float32(session: Any, image: Pixels) -> Pixels:
    planes = np.ascontiguousarray(image[..., :3].transpose(2, 0, 1)[None], np.float32)
    (stylized,) = session.run([OUTPUT], {INPUT: planes})
    return np.clip(np.rint(stylized[0].transpose(1, 2, 0)), 0, 255).astype(np.uint8)


# By key of parity.runtimes: the runtimes, given the folder that `make tools` fills.
RUNTIMES: dict[str, Callable[[Path], Sequence[Runtime]]] = {
    "onnxruntime": lambda tools: [OnnxRuntime()],
    "node": lambda tools: [ort_web.Node(tools)],
    "chromium": lambda tools: [ort_web.Chromium(tools)],
    "arm64": lambda tools: [ort_arm64.Arm64(tools)],
    "coreml": lambda tools: coreml_runtime.runtimes(),
}


def available(
    keys: Sequence[str], tools: Path, artifacts: Sequence[ModelArtifact]
) -> tuple[list[list[Runtime]], dict[str, str]]:
    """Return the runtimes of these keys that can run here, and the reason for each key that cannot.

    Runtimes that support none of the artifacts are in neither.
    """
    groups, skipped = [], {}
    for key in keys:
        runtimes = [
            runtime for runtime in RUNTIMES[key](tools) if any(runtime.supports(artifact) for artifact in artifacts)
        ]
        reasons = [reason for runtime in runtimes if (reason := runtime.missing()) is not None]
        if reasons:
            skipped[key] = reasons[0]
        elif runtimes:
            groups.append(runtimes)
    return groups, skipped
