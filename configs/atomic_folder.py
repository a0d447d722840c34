"""Atomic folder writes: the folder appears complete, or stays as it was."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from impasto.configs.errors import UsageError


@contextmanager
def atomic_folder(output: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Yield a hidden folder beside `output` to write to, which replaces it at the end, and is removed on failure.

    Args:
        output: The folder, an absolute path.
        check: Called with `output` before it is replaced; raises UsageError where it must not be.

    Raises:
        UsageError: The folder cannot be written.
    """
    created = [folder for folder in output.parents if not folder.exists()]
    staging = output.parent / f".impasto-{uuid.uuid4().hex}.part"
    try:
        staging.mkdir(parents=True)
        yield staging
        check(output)  # again, since writing may take minutes
        _replace(output, staging)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in created:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UsageError(f"output={output} cannot be written: {_reason(error)}") from error
        raise


def _replace(output: Path, staging: Path) -> None:
    """Rename `staging` to `output`; an earlier `output` is removed afterwards, and restored where that fails."""
    old = output.parent / f".impasto-{uuid.uuid4().hex}.old"
    try:
        if output.exists():
            output.rename(old)
        staging.rename(output)
    except BaseException:
        if old.exists() and not output.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _reason(error: OSError) -> str:
    """The reason in a few words; an error of copytree is a list of (source, target, reason)."""
    why = str(error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error)
    return why.split("] ")[-1].split(":")[0].strip("\"'] ")
