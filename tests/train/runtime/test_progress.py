import io
import logging

import pytest

from impasto.models.console import Console
from impasto.models.progress import show_progress, stderr_console
from impasto.train.runtime.progress import Display, log_to


def test_display_markup_in_names_is_shown_literally() -> None:
    display = Display("[red]painting a[/b]")
    display.note(0.5, "photo [bold]c[/d]")
    shown = io.StringIO()
    Console(file=shown, width=200).print(display._bar)
    assert "[red]painting a[/b]" in shown.getvalue()
    assert "photo [bold]c[/d]" in shown.getvalue()


def test_display_logs_messages_of_impasto_once_on_its_console() -> None:
    logger, output = logging.getLogger("impasto.train.somewhere"), io.StringIO()
    console = Console(file=output, width=20)
    root = logging.getLogger("impasto")
    before = root.handlers, root.level, root.propagate
    with log_to(console), Display("title", console):
        logger.info("a message that is longer than the console, with [bold]markup[/nothing]")
        logger.debug("not shown")
    assert output.getvalue() == "a message that is longer than the console, with [bold]markup[/nothing]\n"
    assert (root.handlers, root.level, root.propagate) == before


def test_display_shows_losses_of_training_and_validation() -> None:
    display, shown = Display("title"), io.StringIO()
    row = {"images_per_second": 3.25, "total": 1234.0, "content": 1000.0, "style": 234.0}
    display.trained(0.25, row)
    display.validated(0.5, {f"val_{name}": 2 * value for name, value in row.items()} | {"step": 3.0})
    Console(file=shown, width=200).print(display._bar)
    assert " 50% " in shown.getvalue()
    assert "3.2 images/s, loss 1.23k = content 1k + style 234, validation 2.47k" in shown.getvalue()


def test_stderr_console_quiet_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with log_to(stderr_console(quiet=True)):
        logging.getLogger("impasto.train").warning("of another rank")
    with log_to(stderr_console()):
        logging.getLogger("impasto.train").warning("of the main process")
    assert capfd.readouterr() == ("", "of the main process\n")


def test_show_progress_false_leaves_messages_to_the_caller(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with show_progress(False), log_to(stderr_console()), Display("title") as display:
        display.optimized(0.5, 1, 1.0, {"total": 1.0})
        logging.getLogger("impasto.train").warning("for the caller")
    assert caplog.messages == ["for the caller"]
    assert capfd.readouterr() == ("", "")
