"""Another program that runs an exported file: it gets pictures as raw bytes and gives such back."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from impasto.configs.errors import CheckError
from impasto.export.golden import Pixels

TIMEOUT = 300  # seconds for all pictures of one call


def call(command: Sequence[str], what: str) -> None:
    """Run a program to its end, and never leave it running: CheckError for `what` where it fails or takes too long."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for this process, which then ends the other
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
    ) as process:
        try:
            said, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"{what} took over {TIMEOUT} seconds and was ended") from error
        finally:
            _end(process)
    if process.returncode:
        lines = said.decode(errors="replace").split("\n")
        errors = [line.partition("error: ")[2] for line in lines if "error: " in line]
        raise CheckError(f"{what} failed: {errors[0][:300] if errors else f'exit code {process.returncode}'}")


@contextmanager
def exchange(pictures: Sequence[Pixels]) -> Iterator[Path]:
    """A folder, for the block alone, with the pictures as 0.in, 1.in ... for a program that leaves 0.out, 1.out ..."""
    with tempfile.TemporaryDirectory(prefix="impasto-") as name:
        for number, pixels in enumerate(pictures):
            Path(name, f"{number}.in").write_bytes(np.ascontiguousarray(pixels).tobytes())
        yield Path(name)


def read(folder: Path, pictures: Sequence[Pixels], what: str) -> list[Pixels]:
    """The pictures that `what` left in an exchange's folder, each of the shape of its original, or CheckError."""
    results = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number}.out"
        pixels = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
        if pixels.size != picture.size:
            raise CheckError(f"{what} gives {pixels.size} bytes where {picture.size} are due; export the model again")
        results.append(pixels.reshape(picture.shape))
    return results


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)  # at which playwright closes its browser
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        os.killpg(process.pid, signal.SIGKILL)  # and a browser ends when its pipe to playwright closes
