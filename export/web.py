"""ONNX Runtime Web: its files for a bundle's page, and running an exported file in it, in Node and in Chromium."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from impasto.export.golden import Pixels
from impasto.export.program import TIMEOUT, call, exchange, read

FOLDER = "preview"  # in a bundle
_PAGES = Path(__file__).parent / "page"
PAGE = (_PAGES / "index.html", _PAGES / "worker.mjs")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
_SCRIPT = _PAGES / "run.mjs"
_PACKAGE = "onnxruntime-web"
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


def runtime_files(folder: Path) -> list[Path]:
    """The files of ONNX Runtime Web that a bundle's page loads, from a folder of tools; none if one is not there."""
    files = [folder / "node_modules" / _PACKAGE / "dist" / name for name in RUNTIME]
    return files if all(path.is_file() for path in files) else []


def copy_page(bundle: Path, folder: Path) -> None:
    """Put the page into a bundle, and ONNX Runtime Web from a folder of tools, if it is there."""
    (bundle / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in (*PAGE, *runtime_files(folder)):
        shutil.copyfile(path, bundle / FOLDER / path.name)


class Node:
    """ONNX Runtime Web in Node; `folder` is that of the tools."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder.absolute() / "node_modules"

    @cached_property
    def name(self) -> str:
        """What it is, with its versions; not to be asked for where something is missing."""
        return f"ONNX Runtime Web {_version(self.packages / _PACKAGE)}, Node {_major('node')} (WASM)"

    def missing(self) -> str | None:
        """What it lacks on this machine, as a sentence; None where it can run."""
        if not runtime_files(self.packages.parent):
            return f"{self.packages} holds no {_PACKAGE}; run make tools"
        return None if shutil.which("node") else "there is no node; install Node.js 20 or newer"

    def run(self, path: Path, pictures: Sequence[Pixels]) -> list[Pixels]:
        """What the file makes of RGBA pictures [H, W, 4]. Raises CheckError where it fails."""
        return self._run(path, pictures, None)

    def _run(self, path: Path, pictures: Sequence[Pixels], browser: str | None) -> list[Pixels]:
        with exchange(pictures) as folder:
            job = {
                "model": str(path.absolute()),
                "pictures": [{"height": pixels.shape[0], "width": pixels.shape[1]} for pixels in pictures],
                "packages": str(self.packages),
                "seconds": TIMEOUT,
                "browser": browser,
                "flags": _FLAGS,
            }
            (folder / "job.json").write_text(json.dumps(job))
            call(["node", str(_SCRIPT), str(folder / "job.json")], f"{path.name} in {self.name}")
            return read(folder, pictures, self.name)


class Chromium(Node):
    """ONNX Runtime Web in a headless Chromium, which Node drives; `folder` is that of the tools."""

    @cached_property
    def name(self) -> str:
        """What it is, with its versions; not to be asked for where something is missing."""
        browser = _browser()
        assert browser is not None  # or else missing() says so
        return f"ONNX Runtime Web {_version(self.packages / _PACKAGE)}, Chromium {_major(browser)} (WASM)"

    def missing(self) -> str | None:
        """What it lacks on this machine, as a sentence; None where it can run."""
        if (sentence := super().missing()) is not None:
            return sentence
        if not (self.packages / "playwright-core" / "package.json").is_file():
            return f"{self.packages} holds no playwright-core; run make tools"
        return None if _browser() else f"there is no browser; install one of {', '.join(BROWSERS)}"

    def run(self, path: Path, pictures: Sequence[Pixels]) -> list[Pixels]:
        """What the file makes of RGBA pictures [H, W, 4]. Raises CheckError where it fails."""
        return self._run(path, pictures, _browser())


def _browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])


def _major(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = re.search(r"\d+", said)
    return found[0] if found else "of unknown version"
