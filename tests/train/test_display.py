import io

from rich.console import Console

from impasto.train.display import Display


def test_names_are_shown_as_they_are() -> None:
    display = Display("[red]painting a[/b]")
    display.note(0.5, "photo [bold]c[/d]")
    shown = io.StringIO()
    Console(file=shown, width=200).print(display._bar.get_renderable())
    assert "[red]painting a[/b]" in shown.getvalue()
    assert "photo [bold]c[/d]" in shown.getvalue()
