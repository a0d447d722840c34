import io
import subprocess
import sys

import pytest

from impasto.models.console import Console
from impasto.models.progress import ProgressBar, show_progress, spinner


def shown(bar: ProgressBar) -> str:
    output = io.StringIO()
    Console(file=output, width=150).print(bar)
    return output.getvalue()


def test_progress_bar_without_a_unit_shows_percents_and_the_last_text() -> None:
    bar = ProgressBar("[red]photo[/b]", Console(file=io.StringIO(), force_terminal=True))
    assert bar.live and "0%" in shown(bar)
    bar.update(0.25, "loss [1]")
    bar.update(0.5)
    assert all(words in shown(bar) for words in ("[red]photo[/b]", "50%", "loss [1]"))


def test_progress_bar_with_a_unit_counts_and_shows_the_speed() -> None:
    screen = io.StringIO()
    with ProgressBar("stylizing", Console(file=screen, force_terminal=True, width=100), 3, "photos") as bar:
        bar.advance()
        bar.advance()
        assert "2/3" in shown(bar) and " photos/s" in shown(bar)
    assert "stylizing" in screen.getvalue() and "2/3" in screen.getvalue()
    unknown = ProgressBar("stylizing", Console(file=screen, force_terminal=True), None, "frames")
    unknown.advance()
    assert "1/?" in shown(unknown)


def test_progress_bar_without_a_terminal_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("stylizing", total=2, unit="photos") as bar, spinner("loading") as on_step:
        bar.advance()
        on_step("writing")
    assert not bar.live
    assert capfd.readouterr() == ("", "")


def test_show_progress_false_hides_bars_and_spinners(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    with show_progress(False), ProgressBar("stylizing") as bar, spinner("loading"):
        assert not bar.live
    assert screen.getvalue() == ""
    with show_progress(True), ProgressBar("stylizing") as bar:
        assert bar.live
    assert "stylizing" in screen.getvalue()


def test_import_loads_no_rich() -> None:
    code = "import sys, impasto.models.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
