"""The two ways in which a command ends badly, each with one sentence for the user; and the exit code of any error."""

FULL_ERROR = "HYDRA_FULL_ERROR"


class RequestError(Exception):
    """A wrong request: names the file or key, what is wrong and what to do. Exit code 2."""


class CheckError(Exception):
    """A check that failed. Exit code 1."""


def exit_code(error: BaseException) -> int:
    """What a command that ended with this error returns to the shell."""
    if isinstance(error, KeyboardInterrupt):
        return 130  # 128 + SIGINT, as shells count
    return 2 if isinstance(error, RequestError) else 1


def sentence(error: BaseException) -> str:
    """The one line that an error gets."""
    if isinstance(error, RequestError | CheckError):
        text = str(error)
    elif isinstance(error, KeyboardInterrupt):
        text = str(error) or "interrupted"
    else:
        what = ": ".join(part for part in (type(error).__name__, str(error)) if part)
        text = f"{what}; set {FULL_ERROR}=1 for the traceback"
    return " ".join(text.splitlines())
