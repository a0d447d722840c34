"""ONNX Runtime Web as two runtimes, in Node and in Chromium."""

import json
import re
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from impasto.export import child_process
from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph.contracts import ONNX, ORT
from impasto.export.runtime import NO_TOOLS, Runtime
from impasto.export.test_images import Pixels
from impasto.export.validation.subprocess_runtime import TIMEOUT, call, exchange, read

_SCRIPT = Path(__file__).parents[1] / "web" / "run.mjs"
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
_PACKAGE = "onnxruntime-web"
_RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


class Node(Runtime):
    """ONNX Runtime Web in Node; `tools` is the folder that `make tools` fills, None where the user names none."""

    def __init__(self, tools: Path | None) -> None:
        self.tools = tools and tools.absolute()

    @cached_property
    def name(self) -> str:
        """Its name and version; valid only where `missing` returns None."""
        return f"ONNX Runtime Web {self._version()}, Node {_major(self._node())} (WASM)"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if self.tools is None:
            return NO_TOOLS
        if not all((self._packages / _PACKAGE / "dist" / name).is_file() for name in _RUNTIME):
            return f"tools_dir does not contain {_PACKAGE}; run make tools"
        return None if child_process.find_program("node") else "Node.js is not installed; install version 20 or newer"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is an ONNX or .ort file whose only input is uint8."""
        return artifact.format in (ONNX, ORT) and [spec.type for spec in artifact.contract.inputs] == ["uint8"]

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]. Raises CheckFailed."""
        return self._run(folder / artifact.file, images, None)

    def _run(self, path: Path, images: Sequence[Pixels], browser: str | None) -> list[Pixels]:
        with exchange(images) as folder:
            job = {
                "model": str(path.absolute()),
                "pictures": [{"height": pixels.shape[0], "width": pixels.shape[1]} for pixels in images],
                "packages": str(self._packages),
                "seconds": TIMEOUT,
                "browser": browser,
                "flags": _FLAGS,
            }
            (folder / "job.json").write_text(json.dumps(job))
            call([self._node(), str(_SCRIPT), str(folder / "job.json")], folder, f"{path.name} in {self.name}")
            return read(folder, images, self.name)

    @property
    def _packages(self) -> Path:
        assert self.tools is not None  # missing() reports it otherwise
        return self.tools / "node_modules"

    def _version(self) -> str:
        return str(json.loads((self._packages / _PACKAGE / "package.json").read_text(encoding="utf-8"))["version"])

    def _node(self) -> str:
        program = child_process.find_program("node")
        assert program is not None  # missing() reports it otherwise
        return program


class Chromium(Node):
    """ONNX Runtime Web in a headless Chromium, which Node controls."""

    @cached_property
    def name(self) -> str:
        """Its name and version; valid only where `missing` returns None."""
        browser = _browser()
        assert browser is not None  # missing() reports it otherwise
        return f"ONNX Runtime Web {self._version()}, Chromium {_major(browser)} (WASM)"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if (sentence := super().missing()) is not None:
            return sentence
        if not (self._packages / "playwright-core" / "package.json").is_file():
            return "tools_dir does not contain playwright-core; run make tools"
        return None if _browser() else f"no browser is installed; install one of {', '.join(BROWSERS)}"

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]. Raises CheckFailed."""
        return self._run(folder / artifact.file, images, _browser())


def _browser() -> str | None:
    return next((path for name in BROWSERS if (path := child_process.find_program(name))), None)


def _major(program: str) -> str:
    line, environment = [program, "--version"], child_process.environment()
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False, env=environment)
    match = re.search(r"\d+", done.stdout)
    return match[0] if match else "of unknown version"
