import os
import pty
import signal
import sys
import threading
from pathlib import Path

import pytest

from impasto.configs import interrupt
from impasto.train.runtime.signals import STOPPING, Interrupt


@pytest.mark.parametrize("number", STOPPING)
def test_interrupt_first_signal_requests_stop_and_ignores_echo(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        requested = [interrupt.stop_requested]
        for _ in range(2):
            signal.raise_signal(number)
            requested.append(interrupt.stop_requested)
    assert requested == [False, True, True]
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(("enabled", "command"), [(True, True), (True, False), (False, True)])
def test_stop_at_once_signal_raises_only_if_enabled(
    monkeypatch: pytest.MonkeyPatch, enabled: bool, command: bool
) -> None:
    """It ends the process of a command, and never that of a notebook."""
    exit_codes: list[int] = []
    monkeypatch.setattr(interrupt, "is_command", lambda: command)
    monkeypatch.setattr(Interrupt, "GRACE", 0.0)
    monkeypatch.setattr(os, "_exit", exit_codes.append)
    with Interrupt() as handler:
        try:
            with handler.stop_at_once(enabled):
                signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            assert enabled
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.join()
        assert handler.stop_requested
    assert exit_codes == ([130] if enabled and command else [])


def test_interrupt_in_a_thread_handles_no_signal() -> None:
    before, entered = [signal.getsignal(number) for number in STOPPING], []

    def enter() -> None:
        with Interrupt() as handler:
            entered.append(handler.stop_requested)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [False]
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_interrupt_later_second_signal_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupt, "ECHO", 0.0)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.stop_requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_interrupt_leaves_an_ignored_signal_ignored() -> None:
    """nohup ignores SIGHUP, and the run is to survive its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)


_IN_A_TERMINAL = """
import os, sys, time
from impasto.train.runtime.signals import Interrupt
with Interrupt() as interrupt:
    print("ready", flush=True)
    while not interrupt.stop_requested:
        time.sleep(0.01)
    print("goes nowhere", flush=True)
open(sys.argv[1], "w").write("saved")
"""


def test_interrupt_closed_terminal_lets_the_process_save(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, [sys.executable, "-c", _IN_A_TERMINAL, str(saved)])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)  # the system sends SIGHUP
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert saved.read_text() == "saved"
