"""Running a command in the process of the test, and what its errors look like."""

import sys
from collections.abc import Callable

import pytest

Call = Callable[..., int]


def call_main(monkeypatch: pytest.MonkeyPatch, command: str, main: Callable[[], None], *arguments: str) -> int:
    """Run the main function of a command and return its exit code."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def assert_one_sentence(capsys: pytest.CaptureFixture[str], command: str, words: list[str]) -> None:
    """Assert that the command printed nothing but one line on stderr, which contains all of these words."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{command}: ") and printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
