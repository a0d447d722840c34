"""The two ways in which a command ends badly, each with one sentence for the user."""


class RequestError(Exception):
    """A wrong request: names the file or key, what is wrong and what to do. Exit code 2."""


class CheckError(Exception):
    """A check that failed. Exit code 1."""
