"""ONNX Runtime for arm64, the processor of phones, emulated by qemu."""

import importlib.metadata
import zipfile
from collections.abc import Sequence
from pathlib import Path

from impasto.configs.errors import CheckFailed
from impasto.export import child_process
from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph.contracts import ONNX, ORT
from impasto.export.runtime import NO_TOOLS, Runtime
from impasto.export.test_images import Pixels
from impasto.export.validation.subprocess_runtime import call, exchange, read

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64-static"
LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")  # of Debian's packages for cross-compiling
_SOURCE = Path(__file__).with_suffix(".c")
_ARCHIVE = Path("node_modules/com.github.asus4.onnxruntime/Plugins/Android/onnxruntime.aar")
_PACKAGES = "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, libstdc++6-arm64-cross and qemu-user-static"
_PROCESSOR = "neoverse-n1"
# ONNX Runtime reads its processor from /proc and /sys, where qemu 7.2 shows the host's, and aborts. Files under the
# prefix of -L take precedence, so these describe one core of that processor.
_FILES = {
    "proc/cpuinfo": "processor\t: 0\n"
    "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
    "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
    **{f"sys/devices/system/cpu/{name}": "0\n" for name in ("possible", "present", "online")},
    **{f"sys/devices/system/cpu/cpu0/topology/{name}": "0\n" for name in ("core_id", "physical_package_id")},
}


class Arm64(Runtime):
    """ONNX Runtime's Linux library for arm64 in qemu, of the version that is installed here.

    `tools` is the folder that `make tools` fills, None where the user names none. It contains the library's wheel, and
    an archive with its C headers.
    """

    def __init__(self, tools: Path | None) -> None:
        self.tools = tools and tools.absolute()
        self.version = importlib.metadata.version("onnxruntime")

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"ONNX Runtime {self.version}, arm64 (qemu)"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if self.tools is None:
            return NO_TOOLS
        if not (self._wheel() and (self.tools / _ARCHIVE).is_file()):
            return f"tools_dir does not contain ONNX Runtime {self.version} for arm64 with headers; run make tools"
        programs = _program(COMPILER) and _program(EMULATOR)
        return None if programs and (LIBRARIES / "libstdc++.so.6").exists() else f"install {_PACKAGES}"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is an ONNX or .ort file whose only input is uint8."""
        return artifact.format in (ONNX, ORT) and [spec.type for spec in artifact.contract.inputs] == ["uint8"]

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a file on RGBA images [H, W, 4]. Raises CheckFailed."""
        path = folder / artifact.file
        with exchange(images) as work:
            program = self._build(work)
            command = [_program(EMULATOR), "-L", str(work), "-cpu", _PROCESSOR, str(program), str(path.absolute())]
            for number, pixels in enumerate(images):
                height, width = pixels.shape[:2]
                command += [str(height), str(width), str(work / f"{number}.in"), str(work / f"{number}.out")]
            call(command, work, f"{path.name} in {self.name}")
            return read(work, images, self.name)

    def _build(self, folder: Path) -> Path:
        """Compile the program that runs a file, in `folder`, which becomes its root directory."""
        for name, text in _FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "lib").symlink_to(LIBRARIES)
        library, program = folder / "libonnxruntime.so.1", folder / "arm64"
        wheel = self._wheel()
        assert wheel is not None and self.tools is not None  # missing() reports it otherwise
        try:
            with zipfile.ZipFile(wheel) as files:
                library.write_bytes(files.read(f"onnxruntime/capi/libonnxruntime.so.{self.version}"))
            with zipfile.ZipFile(self.tools / _ARCHIVE) as files:
                files.extractall(folder, [name for name in files.namelist() if name.startswith("headers/")])
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise CheckFailed(f"tools_dir={self.tools} cannot be used: {error}; run make tools again") from error
        # The emulated system has the libraries that this one depends on.
        options = ["-O1", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined", "-I", str(folder / "headers")]
        command = [_program(COMPILER), *options, str(_SOURCE), str(library), "-o", str(program)]
        call(command, folder, f"compiling {_SOURCE.name}")
        return program

    def _wheel(self) -> Path | None:
        return self.tools and next(self.tools.glob(f"onnxruntime-{self.version}-*aarch64.whl"), None)


def _program(name: str) -> str:
    """The path of a program; empty where it is not installed."""
    return child_process.find_program(name) or ""
