"""Ctrl-C and SIGTERM end a command within seconds, although Python's handlers wait until native code returns."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

GRACE = 7.0  # seconds between the signal and the end of a process that native code blocks
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_lock = threading.Lock()
_stops: set[Callable[[], None]] = set()
_interrupted = threading.Event()
_commands: list[object] = []  # the commands that run in this process


@contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """While entered, an interrupt calls `stop` in another thread; what the block then raises is a KeyboardInterrupt."""
    with _lock:
        _stops.add(stop)
    try:
        _raise_if_interrupted()
        yield
    except Exception:
        _raise_if_interrupted()
        raise
    finally:
        with _lock:
            _stops.discard(stop)


@contextmanager
def bounded() -> Iterator[None]:
    """While entered, a command that a signal interrupts ends within GRACE, even where native code does not return.

    A command that handles the signal itself, as training does to save the run, takes the time that it needs.
    """
    ours, theirs = socket.socketpair()  # the interpreter writes each signal's number, whatever the main thread does
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    _register_forget()
    watcher = threading.Thread(target=_watch, args=(ours,), daemon=True)
    watcher.start()
    ending = False
    _commands.append(ours)
    try:
        yield
    except SystemExit as error:
        ending = error.code == 130  # threads that wait for native code would delay the end of the interpreter
        raise
    finally:
        _commands.remove(ours)
        signal.set_wakeup_fd(before)
        # Else the watcher waits on until the SystemExit is dropped, whose traceback refers to `theirs`: the end of this
        # process is bounded, but a process that goes on, as tests do, is not ended.
        if not ending:
            theirs.close()
            watcher.join()
            ours.close()


def is_command() -> bool:
    """Whether this process runs a command, so that an interrupt may end the process."""
    return bool(_commands)


def _raise_if_interrupted() -> None:
    if _interrupted.is_set():
        raise KeyboardInterrupt


def _watch(signals: socket.socket) -> None:
    """Stop what can be stopped at the first signal, and the process if it is still there after GRACE."""
    deadline = None
    while True:
        signals.settimeout(deadline and max(0.01, deadline - time.monotonic()))
        try:
            numbers = signals.recv(64)
        except TimeoutError:
            with suppress(OSError):
                os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"interrupted\n")
            os._exit(130)
        if not numbers:  # the command has ended
            _interrupted.clear()
            return
        if deadline is None and any(number in _SIGNALS and _ends_at_once(number) for number in numbers):
            deadline = time.monotonic() + GRACE
            _interrupted.set()
            with _lock:
                stops = [*_stops]
            for stop in stops:
                stop()


def _ends_at_once(number: int) -> bool:
    return signal.getsignal(number) is signal.default_int_handler


@cache
def _register_forget() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """In a fork: its signals are not those of this process."""
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)
