"""Ctrl-C and SIGTERM that let the work at hand end."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Interrupt:
    """While entered, the first Ctrl-C or SIGTERM sets `asked`, and a second one ends the program at once.

    One that follows within ECHO seconds counts as the first: torchrun passes on what the terminal has sent already.
    """

    ECHO = 2.0
    GRACE = 5.0  # seconds for what other programs do for this one to end, when it has been cut off

    def __init__(self) -> None:
        self.asked = False
        self._since = 0.0
        self._cuts = False

    def __enter__(self) -> "Interrupt":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self, cuts: bool) -> Iterator[None]:
        """While entered, and if it `cuts`, the first signal raises KeyboardInterrupt: the work may take minutes.

        Threads that wait for a compiler would hold the end of the program up, so it ends GRACE seconds later at last.
        """
        self._cuts = cuts
        try:
            yield
        except KeyboardInterrupt:
            if cuts:
                leave = threading.Timer(self.GRACE, os._exit, [130])
                leave.daemon = True
                leave.start()
            raise
        finally:
            self._cuts = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked and now - self._since > self.ECHO:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked, self._since = True, now
            if self._cuts:
                raise KeyboardInterrupt
