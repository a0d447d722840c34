"""The fixture for the tests of impasto-optimize."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.train.commands import optimize
from tests.helpers.in_process import Call, call_main


@pytest.fixture
def call_optimize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run impasto-optimize in this process, in a folder with photo.jpg (48x36), painting.png and other.png."""
    random = np.random.default_rng(0)
    for name, shape in (("photo.jpg", (36, 48)), ("painting.png", (40, 40)), ("other.png", (40, 50))):
        small = Image.fromarray(random.integers(0, 255, (6, 7, 3), np.uint8))
        small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> int:
        return call_main(monkeypatch, "impasto-optimize", optimize.main, *arguments)

    return call
