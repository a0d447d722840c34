"""A file that a command writes its results to."""

from pathlib import Path

from impasto.configs import atomic_file
from impasto.configs.cli import runs
from impasto.configs.errors import UsageError


def check(key: str, value: str) -> Path:
    """Return the path of `key=value`; raises UsageError, before any work, where it cannot be written.

    Args:
        key: The key that names the file.
        value: The file.
    """
    path = Path(value).expanduser()
    if runs.is_sweep_job():
        raise UsageError(f"{key}={path} is one file, which each job of a sweep would replace; run the jobs one by one")
    if not path.parent.is_dir():
        raise UsageError(f"{key}={path} cannot be written: the folder {path.parent} does not exist")
    if path.is_dir():
        raise UsageError(f"{key}={path} is a folder; name a file")
    if path.is_symlink() or (path.exists() and not path.is_file()):  # renaming onto /dev/stdout would replace it
        raise UsageError(f"{key}={path} is a link or a device; name a plain file")
    return path


def write(key: str, path: Path, text: str) -> None:
    """Write a text to the file of `key`, atomically; raises UsageError if that fails, such as on a full disk."""
    try:
        with atomic_file.atomic_write(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{key}={path} cannot be written: {error.strerror or error}") from error
