"""Ctrl-C and SIGTERM that let the work at hand end."""

import signal
import time
from types import FrameType, TracebackType


class Interrupt:
    """While entered, the first Ctrl-C or SIGTERM sets `asked`, and a second one ends the program at once.

    One that follows within ECHO seconds counts as the first: torchrun passes on what the terminal has sent already.
    """

    ECHO = 2.0

    def __init__(self) -> None:
        self.asked = False
        self._since = 0.0

    def __enter__(self) -> "Interrupt":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked and now - self._since > self.ECHO:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked, self._since = True, now
