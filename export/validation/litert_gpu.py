"""LiteRT's GPU accelerator on SwiftShader, a Vulkan device in software that Chromium brings. No torch here."""

import importlib.metadata
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from impasto.configs import extras
from impasto.export import child_process
from impasto.export.contract import ModelArtifact, style_weights
from impasto.export.litert.contracts import LITERT
from impasto.export.runtime import Runtime
from impasto.export.test_images import Pixels
from impasto.export.validation.subprocess_runtime import call, exchange, read

# Of Debian's packages of Chromium, and of Google Chrome. Native code is loaded from them, so no others are searched.
_FOLDERS = Path("/usr/lib/chromium"), Path("/opt/google/chrome")
_LOADER, _DRIVER = "libvulkan.so.1", "vk_swiftshader_icd.json"


class LiteRtGpu(Runtime):
    """LiteRT's GPU accelerator, in 32-bit floats, without any operator on the CPU."""

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"LiteRT {importlib.metadata.version('ai-edge-litert')}, GPU accelerator on SwiftShader"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if predicate := extras.missing("litert"):
            return f"running .tflite files {predicate}"
        if _vulkan() is None:
            return "no Vulkan device in software is installed; install chromium-headless-shell, which has SwiftShader"
        return None

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is a LiteRT file."""
        return artifact.format == LITERT

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run on each RGBA image [H, W, 4] the signature of its size. Raises CheckFailed."""
        vulkan = _vulkan()
        assert vulkan is not None  # missing() reports it otherwise
        keys = {(size.height, size.width): key for key, size in artifact.functions.items()}
        with exchange(images) as work:
            job = {
                "model": str((folder / artifact.file).absolute()),
                "styles": style_weights(artifact),
                "pictures": [[keys[image.shape[0], image.shape[1]], *image.shape] for image in images],
            }
            (work / "job.json").write_text(json.dumps(job))
            (work / _LOADER).symlink_to(vulkan / _LOADER)  # alone: the folder has an EGL, too
            driver = str(vulkan / _DRIVER)
            variables = {"LD_LIBRARY_PATH": str(work), "VK_DRIVER_FILES": driver, "VK_ICD_FILENAMES": driver}
            command = child_process.python_module(__name__, str(work))
            # A processor of two cores takes a minute for 1024x1024.
            call(command, work, f"{artifact.file} in {self.name}", variables, len(images))
            return read(work, images, self.name)


def _vulkan() -> Path | None:
    """The folder of a Vulkan loader and SwiftShader."""
    if sys.platform != "linux":
        return None
    return next((folder for folder in _FOLDERS if all((folder / name).is_file() for name in (_LOADER, _DRIVER))), None)


def _main(work: Path) -> None:
    """Run the job of an exchange folder in this process."""
    from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options

    job = json.loads((work / "job.json").read_text())
    # Without HardwareAccelerator.CPU, an operator that the GPU does not take is an error.
    options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
    model = CompiledModel.from_file(job["model"], options=options)
    if not model.is_fully_accelerated():
        raise RuntimeError("the GPU accelerator does not take the whole graph")
    for number, (key, *shape) in enumerate(job["pictures"]):
        signature = model.get_signature_index(key)
        inputs, outputs = model.create_input_buffers(signature), model.create_output_buffers(signature)
        image = np.fromfile(work / f"{number}.in", np.uint8)
        inputs[0].write(image.reshape(1, *shape))
        if job["styles"]:
            inputs[1].write(np.array([[[job["styles"]]]], np.float32))
        model.run_by_index(signature, inputs, outputs)
        outputs[0].read(image.size, np.uint8).tofile(work / f"{number}.out")


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LiteRT logs each step there, also at exit
    try:
        _main(Path(sys.argv[1]))
    except Exception as error:  # LiteRT's errors share no narrower base
        why = str(error).rpartition("\N{BOX DRAWINGS LIGHT UP AND RIGHT}")[2]  # of a tree of causes, the last
        print(f"error: {' '.join(why.split())}")  # noqa: T201 - the answer to the parent
        sys.exit(1)
