"""A signal ends a command that native code blocks, as an endless Loop in an ONNX file does."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from impasto.configs import interrupt
from impasto.models import onnx_model


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that honors the contract; its Loop has 2^62 turns."""
    scalar, constant = helper.make_tensor_value_info, onnx.numpy_helper.from_array
    ends = [scalar("keep", TensorProto.BOOL, []), scalar("sum", TensorProto.FLOAT, [])]
    body = helper.make_graph(
        [helper.make_node("Identity", ["before"], ["keep"]), helper.make_node("Add", ["x", "one"], ["sum"])],
        "body",
        [
            scalar("i", TensorProto.INT64, []),
            scalar("before", TensorProto.BOOL, []),
            scalar("x", TensorProto.FLOAT, []),
        ],
        ends,
        [constant(np.array(1, np.float32), "one")],
    )
    nodes = [
        helper.make_node("Loop", ["turns", "", "zero"], ["y"], body=body),
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["floats", "y"], ["brighter"]),
        helper.make_node("Cast", ["brighter"], ["stylized"], to=TensorProto.UINT8),
    ]
    image, stylized = (scalar(name, TensorProto.UINT8, [1, "height", "width", 4]) for name in ("image", "stylized"))
    weights = [constant(np.array(2**62, np.int64), "turns"), constant(np.array(0, np.float32), "zero")]
    graph = helper.make_graph(nodes, "endless", [image], [stylized], weights)
    path = tmp_path_factory.mktemp("endless") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
from impasto.configs.cli import app
def task(config):
    {task}
sys.argv = ["impasto-preview", "bundle=x"]
app.run("preview", task)
"""
ONNX = """
    import numpy as np
    from pathlib import Path
    from impasto.models import onnx_model
    session = onnx_model.load(Path({path!r}), 1)
    print("running", flush=True)
    session.run(None, {{"image": np.zeros((1, 16, 16, 4), np.uint8)}})
"""
IN_THREADS = """
    import numpy as np
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from impasto.models import onnx_model
    session = onnx_model.load(Path({path!r}), 1)
    print("running", flush=True)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(session.run, None, {{"image": np.zeros((1, 16, 16, 4), np.uint8)}})] * 3:
            future.result()
"""
NATIVE = """
    import ctypes, threading
    print("running", flush=True)
    if {elsewhere}:
        thread = threading.Thread(target=ctypes.CDLL(None).sleep, args=(60,))
        thread.start()
        thread.join()
    remaining = 60
    while remaining:  # sleep returns early at a signal; native code that computes does not
        remaining = ctypes.CDLL(None).sleep(remaining)
"""


def interrupted(task: str, number: int) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Start a command, send it a signal once it runs, and return the seconds until its end."""
    with subprocess.Popen([sys.executable, "-c", RUN.format(task=task)], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n", process.communicate()
        time.sleep(1)
        started = time.monotonic()
        process.send_signal(number)
        try:
            streams = process.communicate(timeout=30)
        finally:
            process.kill()
        return time.monotonic() - started, subprocess.CompletedProcess([], process.returncode, *streams)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("task", [ONNX, IN_THREADS])
def test_signal_ends_an_endless_model(endless: Path, task: str, number: int) -> None:
    seconds, done = interrupted(task.format(path=str(endless)), number)
    assert (done.returncode, done.stderr) == (130, "impasto-preview: interrupted\n")
    assert seconds < interrupt.GRACE


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_signal_ends_native_code_that_does_not_return(elsewhere: bool) -> None:
    seconds, done = interrupted(NATIVE.format(elsewhere=elsewhere), signal.SIGTERM)
    assert done.returncode == 130 and "interrupted" in done.stderr
    assert seconds < 10


def test_runs_of_a_session_are_stopped_and_later_ones_refused(endless: Path) -> None:
    session = onnx_model.load(endless, 1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupt.bounded():
            with pytest.raises(KeyboardInterrupt):  # wherever this thread is when the signal comes
                threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
                session.run(None, {"image": np.zeros((1, 16, 16, 4), np.uint8)})
            with pytest.raises(KeyboardInterrupt), interrupt.stoppable(lambda: None):
                pytest.fail("entered after the interrupt")
        with interrupt.stoppable(lambda: None):  # a later command is not interrupted
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def test_command_that_handles_the_signal_itself_is_not_stopped() -> None:
    seen: list[int] = []
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with interrupt.bounded(), interrupt.stoppable(stopped.set):
            os.kill(os.getpid(), signal.SIGTERM)
            assert not stopped.wait(0.3) and seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_signal_of_a_fork_is_not_ours() -> None:
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with interrupt.bounded(), interrupt.stoppable(stopped.set):
            if (child := os.fork()) == 0:
                try:
                    time.sleep(30)
                finally:
                    os._exit(0)
            time.sleep(0.2)
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            assert not stopped.wait(0.3)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_command_after_one_that_an_interrupt_ended_can_start_and_end() -> None:
    before = signal.set_wakeup_fd(-1)
    try:
        with pytest.raises(SystemExit), interrupt.bounded():
            sys.exit(130)
        gc.collect()
        with socket.socket(), interrupt.bounded():  # whatever descriptor was free now is taken
            pass
    finally:
        signal.set_wakeup_fd(before)


def test_process_that_goes_on_after_an_interrupted_command_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "GRACE", 0.2)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as end, interrupt.bounded():
            try:
                signal.raise_signal(signal.SIGTERM)
            except KeyboardInterrupt:
                sys.exit(130)
        del end
        gc.collect()
        time.sleep(0.6)
        with interrupt.stoppable(lambda: pytest.fail("interrupted")):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)


def test_is_command_while_a_command_runs() -> None:
    assert not interrupt.is_command()
    with interrupt.bounded():
        assert interrupt.is_command()
    assert not interrupt.is_command()
