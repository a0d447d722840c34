import numpy as np
import onnx
import pytest

from impasto.export import norms, variants
from impasto.export.golden import opaque, picture
from impasto.models import exported
from tests.export.conftest import Written

IMAGE = opaque(picture(96, 96))[None]


def run(model: onnx.ModelProto, **more: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    (result,) = exported.open_session(model.SerializeToString(), 1).run(None, {"image": IMAGE, **more})
    return np.asarray(result)


@pytest.mark.parametrize("stored", ["fp32", "fp16", "int8"])
def test_statistics_as_a_result_and_as_a_given(written: Written, stored: str) -> None:
    model = onnx.load(written("mobile", "pixels"))
    model = {"fp32": lambda m: m, "fp16": variants.fp16_stored, "int8": variants.int8_stored}[stored](model)
    whole = run(model).astype(int)
    statistics = run(norms.measuring(model))
    assert statistics.shape == (2, sum(norms.channels(model))) and (statistics[1] > 0).all()
    assert np.abs(run(norms.given(model, 96), statistics=statistics) - whole).max() <= 1
    assert np.abs(run(norms.known(model, norms.unpacked(model, statistics))) - whole).max() <= 1
    statistics[0] += 1
    assert np.abs(run(norms.given(model, 96), statistics=statistics) - whole).max() > 1


def test_the_statistics_are_those_of_each_norm(written: Written) -> None:
    model = onnx.load(written("mobile", "pixels"))
    found = norms.unpacked(model, run(norms.measuring(model)))
    for number, (mean, variance) in enumerate(found):
        values = run(norms.part(norms.known(model, found[:number]), [norms.before(model, number)]))[0]
        np.testing.assert_allclose(values.mean((1, 2)), mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(values.var((1, 2)), variance, rtol=1e-3, atol=1e-3)


def test_a_part_starts_where_it_is_told(written: Written) -> None:
    model = onnx.load(written("mobile", "pixels"))
    last = len(norms.norms(model)) - 1
    for number in range(last + 1):
        alive = norms.live(model, number)
        assert norms.before(model, number) in alive
        part = norms.part(model, ["stylized"], alive)
        assert {value.name for value in part.graph.input} >= {*alive}
        later = [node.op_type for node in part.graph.node].count("InstanceNormalization")
        assert later == last + 1 - number
    assert len(norms.live(model, last)) == 1  # what a residual block carries over is no longer needed
