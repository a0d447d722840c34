"""Silence while a converter works: what it prints, logs and warns is not for the user."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Python's stdout, stderr, logs and warnings to itself, process-wide; exceptions pass."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # handlers keep the stderr of the day they were made
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
