"""ONNX Runtime for Python. No torch here."""

import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed
from impasto.export.contract import ModelArtifact, style_weights
from impasto.export.onnx_graph import tiling
from impasto.export.onnx_graph.contracts import ONNX, ORT, TILED_ONNX
from impasto.export.runtime import Runtime
from impasto.export.test_images import Pixels
from impasto.models import onnx_model
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT
from impasto.models.ort_messages import reason


class OnnxRuntime(Runtime):
    """ONNX Runtime for Python, on the CPU of this machine; it is a dependency, so it is never missing."""

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"ONNX Runtime {importlib.metadata.version('onnxruntime')}, {platform.machine()}"

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
            weights = np.array(style_weights(artifact), np.float32)
            styles = {STYLES: weights} if weights.size else {}
            return [run(session, image, styles) for image in images]
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise CheckFailed(f"{artifact.file} does not run in {self.name}: {reason(error)}") from error


def _run_uint8(session: Any, image: Pixels, styles: dict[str, NDArray[np.float32]]) -> Pixels:
    (stylized,) = session.run([OUTPUT], {INPUT: image[None]} | styles)
    return stylized[0]


def _run_float32(session: Any, image: Pixels, styles: dict[str, NDArray[np.float32]]) -> Pixels:
    planes = np.ascontiguousarray(image[..., :3].transpose(2, 0, 1)[None], np.float32)
    (stylized,) = session.run([OUTPUT], {INPUT: planes} | styles)
    return np.clip(np.rint(stylized[0].transpose(1, 2, 0)), 0, 255).astype(np.uint8)
