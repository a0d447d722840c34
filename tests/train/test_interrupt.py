import signal

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


def test_a_second_one_later_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupt, "ECHO", 0.0)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
