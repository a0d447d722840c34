"""What the commands show: texts from files and names of files reach a terminal and its logs without control characters.

An escape sequence, a carriage return or a bidirectional override in a name could rewrite what a terminal shows.
"""

import copy
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# C0, DEL and C1; zero-width and bidirectional controls, but not the joiners of emoji and of Persian and Indic scripts;
# line and paragraph separators; interlinear annotations; noncharacters, which XML forbids; tags; and surrogates, which
# stand for undecodable bytes.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
    "\ud800-\udfff]"
)


def printable(text: object) -> str:
    """Return a text on one line, with an escape such as `\\x1b` for each control character."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))


def printable_lines(text: str) -> str:
    """Return a text whose lines are all `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def show(text: object, file: TextIO | None = None) -> None:
    """Print a line at once, by default on stdout."""
    print(printable(text), file=file, flush=True)


class PrintableFormatter(logging.Formatter):
    """Formats messages of our own words and line breaks, with arguments that may come from anywhere."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        if isinstance(record.args, tuple):
            foreign = (str, os.PathLike, BaseException)
            shown.args = tuple(printable(value) if isinstance(value, foreign) else value for value in record.args)
        return printable_lines(super().format(shown))


def log_to_stderr(logger: logging.Logger) -> None:
    """Send what is logged to stderr without control characters; letters that the terminal lacks become escapes."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    if logging.lastResort is not None:  # shows the warnings of libraries
        logging.lastResort.setFormatter(PrintableFormatter())
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal has no letters for ends no command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def quiet_closed_pipe() -> Iterator[None]:
    """End quietly where the reader of the output has ended, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at its end
        sys.exit(0)
