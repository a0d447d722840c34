"""Suppress what a converter prints, logs and warns."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def suppress_output() -> Iterator[None]:
    """Discard Python's stdout, stderr, log records and warnings of the whole process; exceptions pass."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # a handler writes to the stderr of the time when it was created
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
