"""ONNX Runtime for arm64, the processor of phones, emulated by qemu."""

import importlib.metadata
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from impasto.configs.errors import CheckError
from impasto.export.golden import Pixels
from impasto.export.program import call, exchange, read

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64-static"
LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")  # of Debian's packages for cross-compiling
_SOURCE = Path(__file__).with_suffix(".c")
_ARCHIVE = Path("node_modules/com.github.asus4.onnxruntime/Plugins/Android/onnxruntime.aar")
_PACKAGES = "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, libstdc++6-arm64-cross and qemu-user-static"
_PROCESSOR = "neoverse-n1"
# ONNX Runtime looks its processor up in /proc and /sys, where qemu 7.2 shows the host's, and ends. Files under the
# prefix of -L come first, so here is one core of that processor.
_FILES = {
    "proc/cpuinfo": "processor\t: 0\n"
    "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
    "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
    **{f"sys/devices/system/cpu/{name}": "0\n" for name in ("possible", "present", "online")},
    **{f"sys/devices/system/cpu/cpu0/topology/{name}": "0\n" for name in ("core_id", "physical_package_id")},
}


class Arm64:
    """ONNX Runtime's Linux library for arm64 in qemu, of the version that is installed here.

    `folder` is that of the tools: it holds the library's wheel, and the archive with the headers of its C API.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.version = importlib.metadata.version("onnxruntime")

    @property
    def name(self) -> str:
        """What it is, with its version."""
        return f"ONNX Runtime {self.version}, arm64 (qemu)"

    def missing(self) -> str | None:
        """What it lacks on this machine, as a sentence; None where it can run."""
        if not (self._wheel() and (self.folder / _ARCHIVE).is_file()):
            return f"{self.folder} holds no ONNX Runtime {self.version} for arm64 with headers; run make tools"
        programs = shutil.which(COMPILER) and shutil.which(EMULATOR)
        return None if programs and (LIBRARIES / "libstdc++.so.6").exists() else f"install {_PACKAGES}"

    def run(self, path: Path, pictures: Sequence[Pixels]) -> list[Pixels]:
        """What the file makes of RGBA pictures [H, W, 4]. Raises CheckError where it fails."""
        with exchange(pictures) as folder:
            program = self._build(folder)
            command = [EMULATOR, "-L", str(folder), "-cpu", _PROCESSOR, str(program), str(path.absolute())]
            for number, pixels in enumerate(pictures):
                height, width = pixels.shape[:2]
                command += [str(height), str(width), str(folder / f"{number}.in"), str(folder / f"{number}.out")]
            call(command, f"{path.name} in {self.name}")
            return read(folder, pictures, self.name)

    def _build(self, folder: Path) -> Path:
        """Compile the program that runs a file, and make `folder` the root of the system that it sees."""
        for name, text in _FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "lib").symlink_to(LIBRARIES)
        library, program = folder / "libonnxruntime.so.1", folder / "arm64"
        wheel = self._wheel()
        assert wheel is not None  # or else missing() says so
        try:
            with zipfile.ZipFile(wheel) as files:
                library.write_bytes(files.read(f"onnxruntime/capi/libonnxruntime.so.{self.version}"))
            with zipfile.ZipFile(self.folder / _ARCHIVE) as files:
                files.extractall(folder, [name for name in files.namelist() if name.startswith("headers/")])
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise CheckError(f"{self.folder} cannot be used: {error}; run make tools again") from error
        # The library's own needs are met by the system that runs it.
        options = ["-O1", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined", "-I", str(folder / "headers")]
        call([COMPILER, *options, str(_SOURCE), str(library), "-o", str(program)], f"compiling {_SOURCE.name}")
        return program

    def _wheel(self) -> Path | None:
        return next(self.folder.glob(f"onnxruntime-{self.version}-*aarch64.whl"), None)
