"""Start console scripts by fork off a process that has imported torch, which saves most of each start.

    python -m tests.helpers.fork_server    answers requests, one JSON object a line, until its standard input ends

Nothing of impasto is imported before the fork: each command imports it in its own process, with its own
environment, arguments and working directory, and ends as a script does.
"""

import gc
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

STREAMS = "out", "err"
# What the commands import lazily is half of a short run. Not onnxruntime: it starts a thread, which a fork lacks, and
# the fork would crash at its end.
PRELOADED = (
    *("numpy", "PIL.Image", "hydra", "rich", "onnx", "pydantic.dataclasses", "safetensors.torch", "scipy.ndimage"),
    *("torch", "torch._dynamo", "torch.utils.tensorboard", "matplotlib.figure", "matplotlib.backends.backend_agg"),
)
AVAILABLE = sys.platform != "darwin" and hasattr(os, "fork")  # macOS: a fork with Objective-C loaded may crash


class Command:
    """A console script that runs; as much of subprocess.Popen as the tests need."""

    def __init__(self, server: "ForkServer", pid: int, folder: tempfile.TemporaryDirectory[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._folder = folder

    def poll(self) -> int | None:
        """Return the exit code (negative for a signal), or None while the script runs."""
        return self._wait(0)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the script has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Wait for the end; return standard output and standard error. After the timeout, the script is killed."""
        if self._wait(timeout) is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait(timeout)
            raise subprocess.TimeoutExpired(str(self.pid), timeout, *self._streams())
        return self._streams()

    def _wait(self, timeout: float) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask(pid=self.pid, timeout=timeout)
        return self.returncode

    def _streams(self) -> tuple[str, str]:
        out, err = (Path(self._folder.name, name).read_text() for name in STREAMS)
        return out, err


class ForkServer:
    """The process to fork off; it starts with the first command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self, script: Path, arguments: list[str], cwd: Path | None, new_session: bool = False) -> Command:
        """Start a console script."""
        folder = tempfile.TemporaryDirectory()
        pid = self.ask(
            argv=[str(script), *arguments],
            cwd=str(cwd or Path.cwd()),
            env=dict(os.environ),
            streams=[str(Path(folder.name, name)) for name in STREAMS],
            new_session=new_session,
        )
        assert pid is not None
        return Command(self, pid, folder)

    def ask(self, **request: Any) -> int | None:
        """Return the server's answer: the id of a new process, or its exit code, or None if it still runs."""
        if self._process is None:
            line = [sys.executable, "-m", "tests.helpers.fork_server"]
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(line, cwd=root, stdin=-1, stdout=-1, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer is None or isinstance(answer, int)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def serve() -> None:
    """Start a script for each request with arguments; wait for a process for each request with its id."""
    for module in PRELOADED:
        importlib.import_module(module)
    _load_fonts()
    gc.collect()
    gc.freeze()  # no fork has to traverse what was imported
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "pid" in request:
            answer = _wait(request["pid"], request["timeout"])
        elif (answer := os.fork()) == 0:
            answers.close()
            _become(request)
        print(json.dumps(answer), file=answers, flush=True)


def _load_fonts() -> None:
    """Draw a figure, so that no run has to read the fonts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    figure.subplots().plot([1, 1000], label="label")
    figure.axes[0].set_yscale("log")
    figure.axes[0].legend()
    FigureCanvasAgg(figure).draw()


def _wait(pid: int, timeout: float) -> int | None:
    end = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.02)


def _become(request: dict[str, Any]) -> NoReturn:
    """Be the console script, and leave by sys.exit so that the interpreter ends as it does."""
    if request["new_session"]:
        os.setsid()
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
