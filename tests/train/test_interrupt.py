import os
import signal
import threading

import pytest

from impasto.train.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_its_echo_does_no_more(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        asked = [interrupt.asked]
        for _ in range(2):
            signal.raise_signal(number)
            asked.append(interrupt.asked)
    assert asked == [False, True, True]
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("cuts", [True, False])
def test_what_takes_minutes_is_cut_off(monkeypatch: pytest.MonkeyPatch, cuts: bool) -> None:
    ended: list[int] = []
    monkeypatch.setattr(Interrupt, "GRACE", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with Interrupt() as interrupt:
        try:
            with interrupt.at_once(cuts):
                signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            assert cuts
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.join()
        assert interrupt.asked
    assert ended == ([130] if cuts else [])


def test_a_second_one_later_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupt, "ECHO", 0.0)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
