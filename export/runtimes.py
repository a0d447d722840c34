"""The runtimes that an exported ONNX file is run in to measure its parity. No torch here."""

import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impasto.configs.errors import CheckError
from impasto.export import arm64, web
from impasto.export.golden import Pixels
from impasto.export.label import INPUT, OUTPUT
from impasto.models import exported


class Runtime(Protocol):
    """Something that runs ONNX files of io `pixels`."""

    @property
    def name(self) -> str:
        """What it is, with its version."""

    def missing(self) -> str | None:
        """What it lacks on this machine, as a sentence; None where it can run."""

    def run(self, path: Path, pictures: Sequence[Pixels]) -> list[Pixels]:
        """What the file makes of RGBA pictures [H, W, 4]. Raises CheckError where it fails."""


class OnnxRuntime:
    """ONNX Runtime for Python, on this machine's CPU; it runs files of io `float`, too, and .ort files."""

    @property
    def name(self) -> str:
        """What it is, with its version."""
        return f"ONNX Runtime {importlib.metadata.version('onnxruntime')}, {platform.machine()}"

    def missing(self) -> None:
        """Nothing: it is a dependency."""

    def run(self, path: Path, pictures: Sequence[Pixels]) -> list[Pixels]:
        """What the file makes of RGBA pictures [H, W, 4]; RGB of a file of io `float`. Raises CheckError."""
        try:
            session = exported.open_session(path)
            run = _pixels if session.get_inputs()[0].type == "tensor(uint8)" else _floats
            return [run(session, picture) for picture in pictures]
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            reason = " ".join(str(error).split(" : ")[-1].split())[:200]
            raise CheckError(f"{path.name} does not run in {self.name}: {reason}") from error


def _pixels(session: Any, picture: Pixels) -> Pixels:
    (stylized,) = session.run([OUTPUT], {INPUT: picture[None]})
    return stylized[0]


def _floats(session: Any, picture: Pixels) -> Pixels:
    image = np.ascontiguousarray(picture[..., :3].transpose(2, 0, 1)[None], np.float32)
    (stylized,) = session.run([OUTPUT], {INPUT: image})
    return np.clip(np.rint(stylized[0].transpose(1, 2, 0)), 0, 255).astype(np.uint8)


def at_hand(keys: Sequence[str], tools: Path, io: str) -> dict[str, Runtime]:
    """The runtimes of parity.runtimes that take files of `io`, by their keys; `tools` is the folder of make tools."""
    known: dict[str, Runtime] = {"onnxruntime": OnnxRuntime()}
    if io == "pixels":
        known |= {"node": web.Node(tools), "chromium": web.Chromium(tools), "arm64": arm64.Arm64(tools)}
    return {key: known[key] for key in keys if key in known}
