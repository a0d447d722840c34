"""The examples in the docstrings of the public API."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from tests.helpers.photos import photo

MODULES = (
    "stylization",
    "training",
    "bundles",
    "models.transform_net",
    "models.vgg.features",
    "models.losses.perceptual",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_api_examples_print_what_they_show(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of a module run one after another: a later one uses what an earlier one wrote."""
    monkeypatch.chdir(tmp_path)
    photo(0, (320, 240)).save("photo.jpg", quality=95)
    photo(1, (320, 240)).save("painting.jpg", quality=95)
    Path("photos").mkdir()
    for seed in range(4):
        photo(seed).save(Path("photos") / f"{seed}.jpg")
    module = importlib.import_module(f"impasto.{name}")
    names = {"impasto": impasto, "np": np, "torch": torch}
    examples = [test for test in doctest.DocTestFinder().find(module, name, extraglobs=names) if test.examples]
    assert examples
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    for test in sorted(examples, key=lambda test: test.lineno or 0):
        test.globs = names
        runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
    assert name != "stylization" or Image.open("painted.jpg").size == (320, 240)
