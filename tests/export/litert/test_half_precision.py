"""The simulation of fp16: exact against LiteRT without rounding, and what rounding does."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn

from impasto.configs.cli import app
from impasto.configs.errors import CheckFailed
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.fp16_rescale import fp16_safe
from impasto.export.litert import half_precision, reader, schema, writer
from impasto.export.litert.artifacts import LiteRtExporter
from impasto.export.litert.contracts import FILE, FP16, LITERT, litert_contract
from impasto.export.litert.runtime import HalfPrecision
from impasto.export.test_images import extremes, opaque, picture
from impasto.models import transform_net
from tests.helpers.networks import LABEL, Build

Subgraphs = Callable[[transform_net.TransformNet], tuple[Path, dict[str, reader.StoredSubgraph]]]
PHOTO = np.dstack([picture(64, 96), np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)])


@pytest.fixture
def subgraphs(tmp_path: Path) -> Subgraphs:
    """Write a network as a file, and read it back."""

    def write(network: transform_net.TransformNet) -> tuple[Path, dict[str, reader.StoredSubgraph]]:
        path = tmp_path / FILE
        path.parent.mkdir(exist_ok=True)
        writer.write(network, path, [(64, 96)], LABEL)
        return path, reader.subgraphs(path.read_bytes(), FILE)

    return write


def difference(one: Any, two: Any) -> int:
    return int(np.abs(one.astype(int) - two).max())


@pytest.mark.parametrize("name", ["johnson", "mobile", "tiny", "eighth", "studio"])
def test_stylize_computes_what_litert_does(
    name: str, build: Build, subgraphs: Subgraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = subgraphs(build(name))
    expected = Interpreter(str(path)).get_signature_runner("size_96x64")(image=PHOTO[None])["stylized"][0]
    rounded = half_precision.stylize(read["size_96x64"], PHOTO)
    np.testing.assert_array_equal(rounded[..., 3], PHOTO[..., 3])
    monkeypatch.setattr(half_precision, "_rounded", lambda values, operator: values)
    exact = half_precision.stylize(read["size_96x64"], PHOTO)
    assert expected.std() > 10 and difference(exact, expected) <= 1
    assert (exact != expected).mean() < 0.001 < (rounded != expected).mean()


def test_rounded_values_are_those_of_fp16_and_subnormal_ones_are_zero() -> None:
    values = np.array([1, 1 + 2**-12, 2049, 2**-14, 2**-15, -(2**-15)], np.float32)
    assert half_precision._rounded(values, 0).tolist() == [1, 1, 2048, 2**-14, 0, 0]
    with pytest.raises(CheckFailed, match=r"^fp16 overflows at operator 7$"):
        half_precision._rounded(np.array([70_000], np.float32), 7)


def test_networks_need_the_rescaling_of_fp16(exploding: transform_net.TransformNet, subgraphs: Subgraphs) -> None:
    _, read = subgraphs(fp16_safe(exploding, extremes(64, 96)))
    for rgb in extremes(64, 96):
        half_precision.stylize(read["size_96x64"], opaque(rgb))
    _, read = subgraphs(exploding)
    with pytest.raises(CheckFailed, match=r"^fp16 overflows at"):
        half_precision.stylize(read["size_96x64"], PHOTO)


def test_stylize_of_an_unknown_operator_names_it(trained: transform_net.TransformNet, subgraphs: Subgraphs) -> None:
    subgraph = subgraphs(trained)[1]["size_96x64"]
    nodes = tuple(replace(node, code=99_999) if node.code == schema.ROUND.code else node for node in subgraph.nodes)
    with pytest.raises(CheckFailed, match="does not know operator 99999"):
        half_precision.stylize(replace(subgraph, nodes=nodes), PHOTO)


def test_runtime_checks_flat_and_saturated_images_first(exploding: transform_net.TransformNet, tmp_path: Path) -> None:
    sizes = {f"size_{size}x{size}": ImageSize(size, size) for size in (64, 32)}
    model = ModelArtifact(FILE, LITERT, "fp16", litert_contract(), Tolerance(max_difference=1), sizes, None)
    assert HalfPrecision().supports(model) and HalfPrecision().missing() is None
    (tmp_path / FILE).parent.mkdir()
    for network, words in (
        (fp16_safe(exploding, extremes(64, 64)), None),
        (exploding, r"^android/model\.tflite: fp16"),
    ):
        writer.write(network, tmp_path / FILE, [(64, 64), (32, 32)], LABEL)
        lines: list[str] = []
        if words is None:
            assert HalfPrecision().preflight(tmp_path, [model], lines.append) and len(lines) == 1
            (output,) = HalfPrecision().run(tmp_path, model, [PHOTO[:64, :64]])
            assert output.shape == (64, 64, 4)
        else:
            with pytest.raises(CheckFailed, match=words):
                HalfPrecision().preflight(tmp_path, [model], lines.append)


def test_runtime_of_a_damaged_file_raises_one_sentence(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = transform_net.TransformNet(nn.Sequential(nn.Conv2d(3, 3, 2 * transform_net.BORDER + 1))).eval()
    (tmp_path / FILE).parent.mkdir()
    model = ModelArtifact(
        *(FILE, LITERT, "fp16", litert_contract(), Tolerance(max_difference=1), {"size_32x32": ImageSize(32, 32)}, None)
    )
    writer.write(network, tmp_path / FILE, [(32, 32)], LABEL)
    whole = (tmp_path / FILE).read_bytes()
    (constant,) = {
        tensor.content for tensor in reader.subgraphs(whole, FILE)["size_32x32"].tensors if tensor.shape == (3,)
    }
    for data in (b"torn", whole.replace(constant, struct.pack("<f", 1) + constant[:-4], 1)[: len(whole) // 2]):
        (tmp_path / FILE).write_bytes(data)
        with pytest.raises(CheckFailed, match=r"^android/model\.tflite (is|does not run)"):
            HalfPrecision().run(tmp_path, model, [np.zeros((32, 32, 4), np.uint8)])


@pytest.mark.parametrize(("name", "tolerance"), [("mobile", "at most 3"), ("studio", "40.5 dB or more")])
def test_exporter_limits_several_passes_in_16_bits_by_their_psnr(
    name: str, tolerance: str, build: Build, tmp_path: Path
) -> None:
    line = ["checkpoint=network.safetensors", "output=bundle", "litert.sizes=[64x96]"]
    exporter = LiteRtExporter(app.compose("export", line), LABEL)
    (model,) = exporter.export(build(name), tmp_path).models
    assert str(model.runtime_tolerances[FP16]) == tolerance
    assert str(model.tolerance) == ("at most 1" if name == "mobile" else "at most 3")
