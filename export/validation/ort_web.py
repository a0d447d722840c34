"""ONNX Runtime Web: its files for the page of a bundle, and two runtimes, Node and Chromium."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph.contracts import ONNX, ORT
from impasto.export.runtime import Runtime
from impasto.export.test_images import Pixels
from impasto.export.validation.subprocess_runtime import TIMEOUT, call, exchange, read

FOLDER = "preview"  # in a bundle
_PAGES = Path(__file__).parents[1] / "web"
PAGE = tuple(_PAGES / name for name in ("index.html", "style.css", "page.js", "worker.mjs", "strokes.mjs"))
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
_SCRIPT = _PAGES / "run.mjs"
_PACKAGE = "onnxruntime-web"
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


def runtime_files(folder: Path) -> list[Path]:
    """Return the files of ONNX Runtime Web in the tools folder that the page loads, or none where one is missing."""
    files = [folder / "node_modules" / _PACKAGE / "dist" / name for name in RUNTIME]
    return files if all(path.is_file() for path in files) else []


def copy_page(bundle: Path, folder: Path) -> None:
    """Copy the page into a bundle, and ONNX Runtime Web where the tools folder has it."""
    (bundle / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in (*PAGE, *runtime_files(folder)):
        shutil.copyfile(path, bundle / FOLDER / path.name)


class Node(Runtime):
    """ONNX Runtime Web in Node; `folder` is the one that `make tools` fills."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder.absolute() / "node_modules"

    @cached_property
    def name(self) -> str:
        """Its name and version; valid only where `missing` returns None."""
        return f"ONNX Runtime Web {_version(self.packages / _PACKAGE)}, Node {_major('node')} (WASM)"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if not runtime_files(self.packages.parent):
            return f"tools_dir does not contain {_PACKAGE}; run make tools"
        return None if shutil.which("node") else "Node.js is not installed; install version 20 or newer"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is an ONNX or .ort file with uint8 input."""
        return artifact.format in (ONNX, ORT) and artifact.contract.inputs[0].type == "uint8"

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]. Raises CheckFailed."""
        return self._run(folder / artifact.file, images, None)

    def _run(self, path: Path, images: Sequence[Pixels], browser: str | None) -> list[Pixels]:
        with exchange(images) as folder:
            job = {
                "model": str(path.absolute()),
                "pictures": [{"height": pixels.shape[0], "width": pixels.shape[1]} for pixels in images],
                "packages": str(self.packages),
                "seconds": TIMEOUT,
                "browser": browser,
                "flags": _FLAGS,
            }
            (folder / "job.json").write_text(json.dumps(job))
            call(["node", str(_SCRIPT), str(folder / "job.json")], f"{path.name} in {self.name}")
            return read(folder, images, self.name)


class Chromium(Node):
    """ONNX Runtime Web in a headless Chromium, which Node controls."""

    @cached_property
    def name(self) -> str:
        """Its name and version; valid only where `missing` returns None."""
        browser = _browser()
        assert browser is not None  # missing() reports it otherwise
        return f"ONNX Runtime Web {_version(self.packages / _PACKAGE)}, Chromium {_major(browser)} (WASM)"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if (sentence := super().missing()) is not None:
            return sentence
        if not (self.packages / "playwright-core" / "package.json").is_file():
            return "tools_dir does not contain playwright-core; run make tools"
        return None if _browser() else f"no browser is installed; install one of {', '.join(BROWSERS)}"

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]. Raises CheckFailed."""
        return self._run(folder / artifact.file, images, _browser())


def _browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])


def _major(program: str) -> str:
    output = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.search(r"\d+", output)
    return match[0] if match else "of unknown version"
