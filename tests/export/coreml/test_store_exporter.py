"""The Core ML packages of a store, in the reference interpreter."""

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.export.coreml import exporter, mil_interpreter, store_exporter
from impasto.export.test_images import picture
from impasto.models import transform_net
from impasto.models.contract import Label
from impasto.models.store import Store
from tests.helpers.stores import NAMES, card_of, store_of

SHAPE = 32, 48
Packages = tuple[Path, list[exporter.Package], Store]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    folder, store = tmp_path_factory.mktemp("ios"), store_of("tiny")
    return folder, store_exporter.write_all(store, folder, [SHAPE], Label.of(card_of("tiny"))), store


def difference(program: mil_interpreter.Program, store: Store, weights: list[float], precision: str) -> float:
    """The largest difference of a function from PyTorch's blend."""
    rgb = picture(*SHAPE)
    with torch.no_grad():
        pixels = transform_net.stylize(store.blend(weights), torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
    expected = pixels[0].permute(1, 2, 0).round().numpy()
    stylized = program(rgb, precision, weights if program.blends else ())
    return float(np.abs(stylized.astype(float) - expected).max())


def test_write_all_gives_a_function_for_each_style_and_a_package_that_blends(packages: Packages) -> None:
    folder, written, _ = packages
    functions = {f"style{index}_size_48x32": SHAPE for index in range(len(NAMES))}
    assert {package.name: package.functions for package in written} == {
        "Model_blend_48x32.mlpackage": {"main": SHAPE},
        "Model_ios18.mlpackage": functions,
    }
    sizes = [(folder / package.name / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size for package in written]
    assert sizes[1] < 1.5 * sizes[0]  # functions share their convolutions


@pytest.mark.parametrize("precision", mil_interpreter.PRECISIONS)
def test_functions_and_blends_equal_those_of_pytorch(packages: Packages, precision: str) -> None:
    folder, _, store = packages
    for index in range(len(NAMES)):
        weights = [float(index == other) for other in range(len(NAMES))]
        program = mil_interpreter.load(folder / exporter.IOS18, store_exporter.function(index, *SHAPE))
        assert not program.blends
        assert difference(program, store, weights, precision) <= 2
    blend = mil_interpreter.load(folder / "Model_blend_48x32.mlpackage")
    assert blend.blends
    for weights in ([0.0, 0.0, 1.0], [0.2, 0.5, 0.3]):
        assert difference(blend, store, weights, precision) <= 2
    assert difference(blend, store, [1.0, 0.0, 0.0], precision) <= 2
