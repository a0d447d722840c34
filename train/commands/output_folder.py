"""The folder that a command writes its results to."""

from pathlib import Path

from impasto.configs.errors import UsageError


def create(output: str) -> Path:
    """Create the folder `output=` and its parents, and return its path.

    Raises:
        UsageError: The folder cannot be created.
    """
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if folder.is_file() else f"cannot be created ({error.strerror})"
        raise UsageError(f"output={output} {reason}; name a folder") from error
    return folder
