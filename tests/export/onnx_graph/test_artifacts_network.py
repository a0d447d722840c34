import getpass
import importlib.metadata
import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from impasto.export import test_images
from impasto.export.bundle import artifacts
from impasto.export.contract import Tolerance
from impasto.export.onnx_graph import tiled_pair, weight_compression
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.export.validation.parity import compare
from impasto.models import network_blocks, onnx_model, transform_net
from impasto.models.image.picture import Picture
from impasto.models.onnx_model import load, stylize
from impasto.models.onnx_writer import write
from tests.helpers.bundles import Written, artifact
from tests.helpers.commands import Run
from tests.helpers.networks import BUNDLE_GRAIN, BUNDLE_STROKES, CARD, LABEL, Build, slow

FILES = [
    ("mobile", "uint8_rgba"),
    slow("johnson", "uint8_rgba"),
    slow("tiny", "uint8_rgba"),
    slow("studio", "uint8_rgba"),
    ("mobile", "float32_rgb"),
]
SIZES = [(16, 16), (17, 33), (131, 217), (50, 37), (64, 96)]
ARITHMETIC = {"Conv", "InstanceNormalization", "Relu", "Sigmoid", "Resize", "Pad", "Add", "Sub", "Mul", "Div", "Mod"}
IN_PASSES = {"Abs", "AveragePool", "MaxPool"}
LAYOUT = {"Cast", "Concat", "DepthToSpace", "Gather", "Reshape", "Round", "Shape", "Slice", "Squeeze", "Transpose"}


def shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "io"), FILES)
def test_write_produces_the_contract(written: Written, name: str, io: str) -> None:
    model = onnx.load(written(name, io))
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert model.ir_version == 8
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["stylized"]
    for value in (model.graph.input[0], model.graph.output[0]):
        pixels = io == "uint8_rgba"
        assert value.type.tensor_type.elem_type == (TensorProto.UINT8 if pixels else TensorProto.FLOAT)
        assert shape(value) == ([1, "height", "width", 4] if pixels else [1, 3, "height", "width"])


@pytest.mark.parametrize(("name", "io"), FILES)
def test_write_uses_standard_operators_one_per_layer(written: Written, build: Build, name: str, io: str) -> None:
    graph = onnx.load(written(name, io)).graph
    layers = Counter(type(layer) for layer in build(name).modules())
    nodes = {kind: [node for node in graph.node if node.op_type == kind] for kind in ARITHMETIC | LAYOUT | IN_PASSES}
    passes, between = build(name).passes, build(name).passes - 1
    assert sum(map(len, nodes.values())) == len(graph.node)
    again = 2 * 2 if name == "tiny" else 0  # its block, run three times, has two norms
    assert len(nodes["InstanceNormalization"]) == passes * layers[network_blocks.InstanceNorm] + again
    assert len(nodes["Resize"]) == passes * layers[torch.nn.Upsample] + 4 * between
    assert len(nodes["Add"]) == passes * layers[network_blocks.Residual] + again // 2 + 3 * between
    assert [len(nodes[kind]) for kind in ("AveragePool", "MaxPool", "Abs")] == [5 * between, 2 * between, between]
    for node in nodes["InstanceNormalization"]:
        after = {other.op_type for other in graph.node if node.output[0] in other.input}
        assert after in ({"Relu"}, {"Add"})
    for node in nodes["Resize"]:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        # A missing mode means the operator's default, nearest. OpenCV needs the coordinates to be named.
        mode, coordinates = attributes.get("mode"), attributes.get("coordinate_transformation_mode")
        if name == "johnson":  # ONNX Runtime's fast path for doubling
            assert (mode, coordinates, attributes["nearest_mode"]) == (None, b"asymmetric", b"floor")
        else:
            assert mode == b"linear"
            assert coordinates in (b"half_pixel", b"pytorch_half_pixel")  # the same where both sides double
    modes = Counter(helper.get_attribute_value(node.attribute[0]) for node in nodes["Pad"])
    border = passes  # around the photo
    assert modes == {b"reflect": passes * layers[torch.nn.ReflectionPad2d] + again + border, b"edge": 1}
    # With `axes` and non-constant amounts, ONNX Runtime 1.32 fails on quantized files.
    assert all(len(node.input) == 2 for node in nodes["Pad"])


@pytest.mark.parametrize(("name", "io"), FILES)
def test_write_leaves_no_unused_or_duplicate_tensors(written: Written, name: str, io: str) -> None:
    model = onnx.load(written(name, io))
    nodes, tensors = model.graph.node, model.graph.initializer
    used = {value for node in nodes for value in node.input}
    assert {tensor.name for tensor in tensors} <= used
    contents = [(tensor.data_type, *tensor.dims, tensor.raw_data) for tensor in tensors]
    assert len(contents) == len(set(contents)) and not model.functions
    assert max(len(value) for node in nodes for value in (node.name, *node.input, *node.output)) <= len("conv10.weight")
    assert {"conv0.weight", "norm0.scale", "norm0.bias"} < used


@pytest.mark.slow
@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_write_fixed_size_has_no_shape_arithmetic_and_runs_in_opencv(
    written: Written, build: Build, tmp_path: Path, io: str
) -> None:
    path = tmp_path / "model.onnx"
    write(build("mobile"), path, io, LABEL, (64, 96))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert all(isinstance(side, int) for value in (*model.graph.input, *model.graph.output) for side in shape(value))
    constants = {tensor.name for tensor in model.graph.initializer} | {""}
    for node in model.graph.node:
        assert node.op_type not in {"Shape", "Size", "Mod", "Expand", "Range"}
        if node.op_type in {"Gather", "Pad", "Slice", "Reshape", "Resize"}:
            assert {*node.input[1:]} <= constants
    # OpenCV has no edge padding, and a multiple of the stride needs none.
    modes = [helper.get_attribute_value(node.attribute[0]) for node in model.graph.node if node.op_type == "Pad"]
    assert {*modes} == {b"reflect"}
    photo = test_images.opaque(test_images.picture(64, 96))
    expected, any_size = (
        OnnxRuntime().run(file.parent, artifact(file, io), [photo])[0] for file in (path, written("mobile", io))
    )
    np.testing.assert_array_equal(expected, any_size)
    dnn = pytest.importorskip("cv2").dnn
    # The importer of OpenCV 4; OpenCV 5 has it beside a new one.
    classic = {"engine": dnn.ENGINE_CLASSIC} if hasattr(dnn, "ENGINE_CLASSIC") else {}
    network = dnn.readNetFromONNX(str(path), **classic)
    blob = photo[None] if io == "uint8_rgba" else photo[..., :3].transpose(2, 0, 1)[None].astype(np.float32)
    network.setInput(np.ascontiguousarray(blob))
    (output,) = network.forward()
    pixels = output if io == "uint8_rgba" else output.transpose(1, 2, 0).round()
    assert np.abs(pixels - expected.astype(float)).max() <= 1


@pytest.mark.parametrize(("name", "io"), FILES)
def test_write_leaves_no_paths_or_debug_information(written: Written, name: str, io: str) -> None:
    content = written(name, io).read_bytes()
    paths = [str(Path.home()), str(Path.cwd()), sys.prefix, "site-packages", ".py", "pkg.torch", "Traceback"]
    paths += [] if getpass.getuser() == "root" else [getpass.getuser()]
    assert [path for path in paths if path.encode() in content] == []
    model = onnx.load(written(name, io))
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    assert "/" not in str(model)
    graph = model.graph
    assert not graph.value_info and not graph.doc_string and not model.doc_string
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        assert not part.metadata_props and not part.doc_string


def test_metadata_names_style_version_and_contract(written: Written) -> None:
    for io, words in (
        ("uint8_rgba", "uint8 [1, height, width, 4], RGBA"),
        ("float32_rgb", "float32 [1, 3, height, width], RGB"),
    ):
        model = onnx.load(written("mobile", io))
        metadata = {item.key: item.value for item in model.metadata_props}
        version = importlib.metadata.version("impasto")
        assert (metadata["style"], metadata["artist"], metadata["style_license"]) == ("swirls", "Ünal", "CC0-1.0")
        assert metadata["license"] == "unknown"
        assert metadata["impasto"] == version
        assert words in metadata["contract"] and "strength" not in metadata["contract"]
        assert metadata["variant"] == "fp32"
        assert not {"stroke_resolution", "grain"} & {*metadata}
        card = json.loads(metadata["card"])
        assert card["style"] == {key: CARD["style"][key] for key in ("name", "painter", "seed", "sha256", "size")}
        assert metadata["card"] == json.dumps(card, separators=(",", ":"))  # compact
        stored = onnx_model.card(onnx_model.open_session(written("mobile", io)))
        assert stored is not None
        loss = asdict(stored.loss)
        assert loss == loss | CARD["loss"]
        assert (model.producer_name, model.producer_version) == ("impasto", version)


def test_every_onnx_file_records_the_stroke_resolution_and_the_grain(build: Build, tmp_path: Path) -> None:
    label, path = replace(LABEL, stroke_resolution=768, grain=2.5), tmp_path / "model.onnx"
    (tmp_path / "android").mkdir()
    write(build("mobile"), path, "float32_rgb", label)
    sessions = [onnx_model.open_session(path)]
    write(build("mobile"), path, "uint8_rgba", label)
    written = onnx.load(path)
    tiled_pair.write(written, tmp_path, 96, Tolerance(max_difference=2))
    weight_compression.write_ort(path, tmp_path / "model.ort", tmp_path / "operators.config")
    files = path, tmp_path / "model.ort", tmp_path / tiled_pair.STATS, tmp_path / tiled_pair.TILE
    stored = weight_compression.fp16_stored(written), weight_compression.int8_stored(written)
    sessions += [onnx_model.open_session(file) for file in files]
    sessions += [onnx_model.open_session(one.SerializeToString()) for one in stored]
    assert [onnx_model.stroke_resolution(session) for session in sessions] == [768] * 7
    assert [onnx_model.grain(session) for session in sessions] == [2.5] * 7


@pytest.mark.parametrize(("name", "io"), FILES)
def test_exported_file_matches_pytorch(written: Written, build: Build, name: str, io: str) -> None:
    path = written(name, io)
    images = [test_images.golden_image(artifacts.reference(build(name)), *size) for size in SIZES]
    outputs = OnnxRuntime().run(path.parent, artifact(path, io), [image.photo for image in images])
    tolerance = Tolerance(max_difference=1)
    rows = [compare(image, pixels, name, io, tolerance) for image, pixels in zip(images, outputs, strict=True)]
    assert len(rows) == len(SIZES) and all(row.failure() is None for row in rows)
    assert max(row.differing for row in rows) < 0.01


def test_float32_output_is_not_rounded(written: Written, build: Build) -> None:
    pixels = torch.from_numpy(test_images.picture(17, 33)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        expected = transform_net.stylize(build("mobile"), pixels).numpy()
    (result,) = onnxruntime.InferenceSession(written("mobile", "float32_rgb")).run(None, {"image": pixels.numpy()})
    np.testing.assert_allclose(result, expected, atol=0.01)
    assert np.abs(result - np.rint(result)).max() > 0.4


def test_alpha_passes_through(written: Written) -> None:
    alpha = np.random.default_rng(0).integers(0, 256, (19, 45), np.uint8)
    session = load(written("mobile", "uint8_rgba"))
    results = [stylize(session, Picture(test_images.picture(19, 45), a)) for a in (alpha, 255 - alpha)]
    np.testing.assert_array_equal(results[0].alpha, alpha)
    np.testing.assert_array_equal(results[1].alpha, 255 - alpha)
    np.testing.assert_array_equal(results[0].rgb, results[1].rgb)


def test_write_in_another_process_gives_the_same_bytes(
    trained: transform_net.TransformNet, exported: tuple[Path, Run], tmp_path: Path
) -> None:
    label = replace(LABEL, stroke_resolution=BUNDLE_STROKES, grain=BUNDLE_GRAIN)
    write(trained, tmp_path / "model.onnx", "uint8_rgba", label)
    assert (exported[0] / "android" / "model.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
