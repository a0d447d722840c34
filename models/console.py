"""rich's consoles and tables for texts that may come from anywhere: without markup and without control characters."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import rich.console
import rich.table
from rich.segment import Segment
from rich.text import Text

from impasto.configs.terminal import printable, printable_lines

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType


class Console(rich.console.Console):
    """A console that shows texts as they are: no markup, no emoji codes, and an escape for each control character.

    In a notebook it writes plain lines: rich's output there needs ipywidgets, and a bar of escape codes is illegible.
    """

    def __init__(self, **settings: Any) -> None:
        notebook = {"force_jupyter": False, "force_terminal": False} if "ipykernel" in sys.modules else {}
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **notebook, **settings})

    def render(self, renderable: "RenderableType", options: "ConsoleOptions | None" = None) -> Iterable[Segment]:
        """Escape what a renderable contains; rich's own control codes are in segments of their own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))


class Table(rich.table.Table):
    """A table whose cells are texts of one line each."""

    def add_row(self, *cells: "RenderableType | None", **settings: Any) -> None:
        """Add a row; a cell that is a str is shown as it is, and one with a style is a Text."""
        super().add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in cells), **settings)
