import io
import logging
import sys
from pathlib import Path

import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.terminal import PrintableFormatter, printable, printable_lines, show

HOSTILE = "a\x1b]0;title\x07\r\n\t\x9b2J\x7f\u202egnp.\u2066\u200b\u2028\ufeff\U000e0041\udcff"


def test_printable_escapes_every_control_character_and_nothing_else() -> None:
    assert printable(HOSTILE).isascii() and printable(HOSTILE).isprintable()
    assert printable("a\x1b[31m\nb\u202ec") == r"a\x1b[31m\nb\u202ec"
    plain = "Ünal 🖼️ 👩‍🎨 می‌خواهم 星月夜 \\x1b <b> [red] 100 %"
    assert printable(plain) == plain


def test_printable_lines_keeps_line_breaks_alone() -> None:
    assert printable_lines("a\x1b\n  b\r\n") == "a\\x1b\n  b\\r\n"


@pytest.mark.parametrize("value", [HOSTILE, Path(HOSTILE), UsageError(HOSTILE)])
def test_formatter_escapes_arguments_and_keeps_our_line_breaks(value: object) -> None:
    record = logging.LogRecord("impasto", logging.INFO, "", 0, "%d:\n  %s", (3, value), None)
    first, second = PrintableFormatter().format(record).split("\n")
    assert first == "3:" and second == f"  {printable(value)}"
    assert record.args == (3, value)  # other handlers see the record as it was


def test_show_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(f"{HOSTILE} is at x")
    assert capsys.readouterr().out == f"{printable(HOSTILE)} is at x\n"


@pytest.mark.parametrize("full", ["0", "1"])
def test_command_escapes_its_errors_and_messages(monkeypatch: pytest.MonkeyPatch, full: str) -> None:
    def task(config: object) -> None:
        logging.getLogger("impasto.anywhere").warning("%s is odd", HOSTILE)
        raise UsageError(f"{HOSTILE} is wrong")

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "argv", ["impasto-preview", "bundle=x"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", full)
    with pytest.raises(SystemExit) as stop:
        app.run("preview", task)
    assert stop.value.code == 2
    lines = stream.getvalue().rstrip("\n").split("\n")
    assert lines[0] == f"{printable(HOSTILE)} is odd" and len(lines) == 2 if full == "0" else len(lines) > 5
    assert not set(stream.getvalue()) & set(HOSTILE) - {"a", "]", ";", "0", "2", "J", "\n", *"title gnp."}
