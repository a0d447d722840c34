import numpy as np
import onnx
import pytest

from impasto.export.onnx_graph import instance_norm, weight_compression
from impasto.export.test_images import opaque, picture
from impasto.models import onnx_model
from tests.helpers.bundles import Written

IMAGE = opaque(picture(96, 96))[None]


def run(model: onnx.ModelProto, **more: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    (result,) = onnx_model.open_session(model.SerializeToString(), 1).run(None, {"image": IMAGE, **more})
    return np.asarray(result)


@pytest.mark.parametrize("stored", ["fp32", "fp16", "int8"])
def test_statistics_as_output_and_as_input_reproduce_the_model(written: Written, stored: str) -> None:
    model = onnx.load(written("mobile", "uint8_rgba"))
    model = {"fp32": lambda m: m, "fp16": weight_compression.fp16_stored, "int8": weight_compression.int8_stored}[
        stored
    ](model)
    whole = run(model).astype(int)
    statistics = run(instance_norm.statistics_model(model))
    assert statistics.shape == (2, sum(instance_norm.channels(model))) and (statistics[1] > 0).all()
    assert np.abs(run(instance_norm.tile_model(model, 96), statistics=statistics) - whole).max() <= 1
    assert np.abs(run(instance_norm.known(model, instance_norm.unpack(model, statistics))) - whole).max() <= 1
    statistics[0] += 1
    assert np.abs(run(instance_norm.tile_model(model, 96), statistics=statistics) - whole).max() > 1


def test_statistics_model_returns_the_moments_of_each_norm(written: Written) -> None:
    model = onnx.load(written("mobile", "uint8_rgba"))
    statistics = instance_norm.unpack(model, run(instance_norm.statistics_model(model)))
    for number, (mean, variance) in enumerate(statistics):
        values = run(
            instance_norm.part(instance_norm.known(model, statistics[:number]), [instance_norm.before(model, number)])
        )[0]
        np.testing.assert_allclose(values.mean((1, 2)), mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(values.var((1, 2)), variance, rtol=1e-3, atol=1e-3)


def test_part_starts_at_its_sources(written: Written) -> None:
    model = onnx.load(written("mobile", "uint8_rgba"))
    last = len(instance_norm.norms(model)) - 1
    for number in range(last + 1):
        alive = instance_norm.live(model, number)
        assert instance_norm.before(model, number) in alive
        part = instance_norm.part(model, ["stylized"], alive)
        assert {value.name for value in part.graph.input} >= {*alive}
        later = [node.op_type for node in part.graph.node].count("InstanceNormalization")
        assert later == last + 1 - number
    assert len(instance_norm.live(model, last)) == 1  # what a residual block carries over is no longer needed
