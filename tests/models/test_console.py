import io
import sys
from types import ModuleType

import pytest
from rich.text import Text

from impasto.models.console import Console, Table
from impasto.models.progress import ProgressBar

HOSTILE = "a\x1b]0;title\x07\r\n\x9b2J\u202eb[red]c[/]:smile:[link=x]"
ON_A_LINE = HOSTILE.replace("\n", "")
STRIPPED = "a\\x1b]0;title\n\\x9b2J\\u202eb[red]c[/]:smile:[link=x]"  # rich itself drops BEL and CR of a str
SHOWN = r"a\x1b]0;title\x07\r\n\x9b2J\u202eb[red]c[/]:smile:[link=x]"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200, force_terminal=True, color_system="truecolor")


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table_shows_cells_and_title_as_they_are(console: Console) -> None:
    table = Table("file", title=ON_A_LINE)
    table.add_row(HOSTILE)
    table.add_row(Text("red", "red"))
    console.print(table)
    assert SHOWN in shown(console) and STRIPPED.replace("\n", "") in shown(console)
    assert "\x1b]" not in shown(console) and not {"\x07", "\r", "\x9b", "\u202e"} & {*shown(console)}
    assert "\x1b[31mred" in shown(console)  # our own style


def test_print_escapes_what_a_text_contains(console: Console) -> None:
    console.print(HOSTILE, soft_wrap=True)
    console.print(Text("b\x1b[5m"))
    assert shown(console) == STRIPPED + "\nb\\x1b[5m\n"


def test_progress_bar_shows_title_and_text_as_they_are(console: Console) -> None:
    with ProgressBar(HOSTILE, console) as bar:
        bar.update(0.5, HOSTILE)
    assert "\x1b]0" not in shown(console) and r"a\x1b]0;title\x07" in shown(console)


def test_console_in_a_notebook_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams of a notebook's kernel say that they are one, but show escape codes as text."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert Console(file=screen).is_terminal
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert not Console(file=screen).is_terminal
