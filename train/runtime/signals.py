"""Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 that let the current step end."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from impasto.configs import interrupt

# Ctrl-C; kill; a closed terminal or a lost ssh; Slurm before a time limit (--signal). Windows has the first two.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
STOPPING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interrupt:
    """While entered, the first signal of STOPPING sets `stop_requested`; a second one raises KeyboardInterrupt.

    A signal that the process ignores stays ignored, as SIGHUP under nohup. A signal within ECHO seconds of the first is
    ignored: torchrun forwards what the terminal has already sent. In a thread there are no signals to handle.
    """

    ECHO = 2.0
    GRACE = 5.0  # seconds between an immediate stop and the end of the process

    def __init__(self) -> None:
        self.stop_requested = False
        self._requested_at = 0.0
        self._immediate = False

    def __enter__(self) -> "Interrupt":
        main = threading.current_thread() is threading.main_thread()  # Python lets no other thread set a handler
        numbers = [number for number in STOPPING if main and signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def stop_at_once(self, enabled: bool) -> Iterator[None]:
        """While entered, and if `enabled`, the first signal raises KeyboardInterrupt: the block may take minutes.

        Threads that wait for a compiler would delay the end of a command, whose process is ended after GRACE seconds.
        """
        self._immediate = enabled
        try:
            yield
        except KeyboardInterrupt:
            if enabled and interrupt.is_command():
                timer = threading.Timer(self.GRACE, os._exit, [130])
                timer.daemon = True
                timer.start()
            raise
        finally:
            self._immediate = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        now = time.monotonic()
        if self.stop_requested and now - self._requested_at > self.ECHO:
            raise KeyboardInterrupt
        if not self.stop_requested:
            self.stop_requested, self._requested_at = True, now
            if self._immediate:
                raise KeyboardInterrupt


def _leave_terminal() -> None:
    """Send the output to /dev/null where it was a terminal, which is gone: to write to it would be an error."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(nothing, descriptor)
    os.close(nothing)
