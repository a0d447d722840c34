"""The two ways in which a command ends badly, each with one sentence for the user; and the exit code of any error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FULL_ERROR = "HYDRA_FULL_ERROR"


class UsageError(Exception):
    """A wrong request: names the file or key, what is wrong and what to do. Exit code 2."""


class CheckFailed(Exception):  # noqa: N818 - named for what it reports, as pytest names its outcomes
    """A check that failed. Exit code 1."""


def exit_code(error: BaseException) -> int:
    """What a command that ended with this error returns to the shell."""
    if isinstance(error, KeyboardInterrupt):
        return 130  # 128 + SIGINT, as shells count
    return 2 if isinstance(error, UsageError) else 1


def sentence(error: BaseException) -> str:
    """The one line that an error gets."""
    text = str(error)
    if isinstance(error, KeyboardInterrupt):
        text = text or "interrupted"
    elif not isinstance(error, UsageError | CheckFailed):
        text = f"{type(error).__name__}{text and f': {text}'}; set {FULL_ERROR}=1 for the traceback"
    return " ".join(text.splitlines())


@contextmanager
def quiet_closed_pipe() -> Iterator[None]:
    """End quietly where the reader of the output has ended, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at its end
        sys.exit(0)
