"""Start console scripts by fork off a process that has imported torch, which saves most of each start.

    python -m tests.helpers.fork_server    answers requests, one JSON object a line, until its standard input ends

Nothing of impasto is imported before the fork: each command imports it in its own process, with its own
environment, arguments and working directory, and ends as a script does.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

# Not onnxruntime: it starts a thread, which a fork lacks, and the fork would crash at its end.
PRELOADED = "numpy", "PIL.Image", "hydra", "rich", "onnx", "torch", "torch.utils.tensorboard"
AVAILABLE = sys.platform != "darwin" and hasattr(os, "fork")  # macOS: a fork with Objective-C loaded may crash


class ForkServer:
    """The process to fork off; it starts with the first command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, script: Path, arguments: list[str], cwd: Path | None, timeout: float) -> tuple[int, str, str]:
        """Run a console script: its exit code (negative for a signal), standard output and standard error."""
        if self._process is None:
            line = [sys.executable, "-m", "tests.helpers.fork_server"]
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(line, cwd=root, stdin=-1, stdout=-1, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            streams = [Path(name) / "out", Path(name) / "err"]
            request = {
                **{"argv": [str(script), *arguments], "cwd": str(cwd or Path.cwd()), "env": dict(os.environ)},
                **{"streams": [str(stream) for stream in streams], "timeout": timeout},
            }
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
            code = int(answer) if answer.strip() else None
            if code is None:
                raise subprocess.TimeoutExpired([str(script), *arguments], timeout, *(s.read_bytes() for s in streams))
            return code, *(stream.read_text() for stream in streams)  # type: ignore[return-value]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def serve() -> None:
    """Answer each request with the exit code of its command, or with an empty line after a timeout."""
    for module in PRELOADED:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            answers.close()
            _become(request)
        code = _wait(pid, request["timeout"])
        print("" if code is None else code, file=answers, flush=True)


def _wait(pid: int, timeout: float) -> int | None:
    end = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.02)


def _become(request: dict[str, Any]) -> NoReturn:
    """Be the console script, and leave by sys.exit so that the interpreter ends as it does."""
    inputs = os.open(os.devnull, os.O_RDONLY)
    outputs = [os.open(stream, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for stream in request["streams"]]
    for number, descriptor in enumerate([inputs, *outputs]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    main = sys.modules["__main__"]
    main.__spec__ = None  # as a script's, so that its own subprocesses do not import this module
    main.__file__ = sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    serve()
