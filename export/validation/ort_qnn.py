"""ONNX Runtime with Qualcomm's QNN, on the emulator of its NPU (HTP). No torch here."""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from impasto.configs import extras
from impasto.export import child_process
from impasto.export.contract import ModelArtifact
from impasto.export.onnx_graph.contracts import NPU_FILE
from impasto.export.runtime import Runtime
from impasto.export.test_images import Pixels
from impasto.export.validation.subprocess_runtime import call, exchange, read
from impasto.models.contract import INPUT, OUTPUT
from impasto.models.ort_environment import import_onnxruntime
from impasto.models.ort_messages import reason

_PROVIDER = "QNNExecutionProvider"
_PROCESSOR = {"htp_arch": "75", "soc_model": "57"}  # Snapdragon 8 Gen 3; without them the emulator runs out of memory
_MACHINES = ("x86_64", "AMD64")  # for which the emulator exists
_PATIENCE = 4  # of a usual call: the emulator takes a minute for 512x512


class Qnn(Runtime):
    """The NPU's emulator; an operator that it does not take is an error, not run on the CPU."""

    @property
    def name(self) -> str:
        """Its name and version."""
        return f"ONNX Runtime QNN {importlib.metadata.version('onnxruntime-qnn')}, HTP emulator"

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run."""
        if sys.platform != "linux" or platform.machine() not in _MACHINES:
            return "the emulator of Qualcomm's NPU runs on Linux on x86-64 only"
        predicate = extras.missing("qnn")
        return predicate and f"the emulator of Qualcomm's NPU {predicate}"

    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether this is the file for the NPU."""
        return artifact.file == NPU_FILE

    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run the file on RGBA images [H, W, 4]; returns RGBA with their alpha. Raises CheckFailed."""
        with exchange(images) as work:
            job = {
                "model": str((folder / artifact.file).absolute()),
                "shapes": [image.shape for image in images],
            }
            (work / "job.json").write_text(json.dumps(job))
            command = child_process.python_module(__name__, str(work))
            call(command, work, f"{artifact.file} in {self.name}", calls=_PATIENCE * len(images))
            return read(work, images, self.name)


def _main(work: Path) -> None:
    """Run the job of an exchange folder in this process."""
    onnxruntime = import_onnxruntime()
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.add_provider_for_devices(devices[:1], {"backend_path": onnxruntime_qnn.get_qnn_htp_path()} | _PROCESSOR)
    job = json.loads((work / "job.json").read_text())
    session = onnxruntime.InferenceSession(job["model"], options)
    for number, shape in enumerate(job["shapes"]):
        image = np.fromfile(work / f"{number}.in", np.uint8).reshape(shape)
        planes = np.ascontiguousarray(image[..., :3].transpose(2, 0, 1)[None], np.float32)
        (stylized,) = session.run([OUTPUT], {INPUT: planes})
        image[..., :3] = np.clip(np.rint(stylized[0].transpose(1, 2, 0)), 0, 255)
        image.tofile(work / f"{number}.out")


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # QNN logs there, also at exit
    try:
        _main(Path(sys.argv[1]))
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        print(f"error: {reason(error)}")  # noqa: T201 - the answer to the parent
        sys.exit(1)
