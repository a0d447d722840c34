"""The two ways in which a command ends badly, each with one sentence for the user; and the exit code of any error."""

import os
import traceback

FULL_ERROR = "HYDRA_FULL_ERROR"


class UsageError(Exception):
    """A wrong request: names the file or key, what is wrong and what to do. Exit code 2."""


class CheckFailed(Exception):  # noqa: N818 - named for what it reports, as pytest names its outcomes
    """A check that failed. Exit code 1.

    Attributes:
        report: All results of the check, if it has more than this failure.
    """

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


def ending(error: BaseException) -> tuple[int, str]:
    """The exit code of a command that ended with this error, and its sentence, or the traceback on request.

    A signal that came while CheckFailed was being raised does not hide it: torchrun ends the other processes soon after
    it has lost one.
    """
    if isinstance(error, KeyboardInterrupt) and isinstance(error.__context__, CheckFailed):
        error = error.__context__
    text = " ".join(str(error).splitlines())
    if os.environ.get(FULL_ERROR) == "1":
        text = "".join(traceback.format_exception(error))
    if isinstance(error, KeyboardInterrupt):
        return 130, text or "interrupted"  # 128 + SIGINT, as shells count
    if isinstance(error, UsageError | CheckFailed):
        return 2 if isinstance(error, UsageError) else 1, text
    return 1, f"{type(error).__name__}{text and f': {text}'}; set {FULL_ERROR}=1 for the traceback"
