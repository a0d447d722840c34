"""Importing impasto has no side effects."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_import_changes_no_environment_logger_or_warnings_filter() -> None:
    program = """
import logging, os, warnings
import PIL.Image, av, cv2, numpy, torch
before = dict(os.environ), list(warnings.filters), logging.getLogger("PIL").level, logging.getLogger().handlers[:]
import impasto.export.commands.stylize, impasto.export.video.pipeline, impasto.models.checkpoint
import impasto.models.image.decode, impasto.models.image.encode, impasto.models.losses.tiled, impasto.models.onnx_model
after = dict(os.environ), list(warnings.filters), logging.getLogger("PIL").level, logging.getLogger().handlers[:]
assert before == after, (before, after)
import sys
assert "onnxruntime" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
