import os
import signal
import threading

import pytest

from impasto.train.runtime.signals import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_first_signal_requests_stop_and_ignores_echo(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        requested = [interrupt.stop_requested]
        for _ in range(2):
            signal.raise_signal(number)
            requested.append(interrupt.stop_requested)
    assert requested == [False, True, True]
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("enabled", [True, False])
def test_stop_at_once_signal_raises_only_if_enabled(monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    exit_codes: list[int] = []
    monkeypatch.setattr(Interrupt, "GRACE", 0.0)
    monkeypatch.setattr(os, "_exit", exit_codes.append)
    with Interrupt() as interrupt:
        try:
            with interrupt.stop_at_once(enabled):
                signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            assert enabled
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.join()
        assert interrupt.stop_requested
    assert exit_codes == ([130] if enabled else [])


def test_interrupt_later_second_signal_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupt, "ECHO", 0.0)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.stop_requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
