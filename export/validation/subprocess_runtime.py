"""Run an exported file in another program, which reads and writes images as raw bytes."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from impasto.configs.errors import CheckFailed
from impasto.export import child_process
from impasto.export.test_images import Pixels
from impasto.models.ort_messages import reason

TIMEOUT = 300  # seconds for all images of one call


def call(
    command: Sequence[str], folder: Path, what: str, variables: Mapping[str, str] | None = None, calls: int = 1
) -> None:
    """Run a program in a folder to its end; raise CheckFailed where it fails or takes too long, which kills it.

    Args:
        command: The program and its arguments.
        folder: The working folder, since compilers and other programs may read files of the current one.
        what: What it does, for the error.
        variables: What its environment has beside that of every child process.
        calls: The work of how many calls it does; each may take TIMEOUT.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches this process only, which then ends the other
        env=child_process.environment() | dict(variables or {}),
    ) as process:
        try:
            output, _ = process.communicate(timeout=calls * TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(f"{what} took over {calls * TIMEOUT} seconds and was stopped") from error
        finally:
            _end(process)
    if process.returncode:
        why = reason(output.decode(errors="replace")) or f"exit code {process.returncode}"
        raise CheckFailed(f"{what} failed: {why}")


@contextmanager
def exchange(images: Sequence[Pixels]) -> Iterator[Path]:
    """A temporary folder with the images as 0.in, 1.in ..., where the program writes 0.out, 1.out ..."""
    with tempfile.TemporaryDirectory(prefix="impasto-") as name:
        for number, pixels in enumerate(images):
            Path(name, f"{number}.in").write_bytes(np.ascontiguousarray(pixels).tobytes())
        yield Path(name)


def read(folder: Path, images: Sequence[Pixels], what: str) -> list[Pixels]:
    """Return the images that `what` wrote into an exchange folder, each of its input's shape, or raise CheckFailed."""
    results = []
    for number, image in enumerate(images):
        path = folder / f"{number}.out"
        pixels = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
        if pixels.size != image.size:
            raise CheckFailed(f"{what} returns {pixels.size} bytes instead of {image.size}; export the model again")
        results.append(pixels.reshape(image.shape))
    return results


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":  # it has no groups of processes
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)  # at which playwright closes its browser
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        os.killpg(process.pid, signal.SIGKILL)  # and a browser ends when its pipe to playwright closes
