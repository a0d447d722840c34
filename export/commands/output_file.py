"""A file that a command writes its results to."""

from pathlib import Path

from impasto.configs.errors import UsageError


def check(key: str, value: str) -> Path:
    """Return the path of `key=value`; raises UsageError, before any work, where it cannot be written.

    Args:
        key: The key that names the file.
        value: The file.
    """
    path = Path(value).expanduser()
    if not path.parent.is_dir():
        raise UsageError(f"{key}={path} cannot be written: the folder {path.parent} does not exist")
    if path.is_dir():
        raise UsageError(f"{key}={path} is a folder; name a file")
    return path
