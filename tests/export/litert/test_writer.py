import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as reference_schema
from ai_edge_litert.interpreter import Interpreter
from torch import nn

from impasto.export.bundle.artifacts import reference
from impasto.export.litert import writer
from impasto.export.test_images import picture
from impasto.models import checkpoint, transform_net, zoo
from impasto.models.contract import Label
from tests.helpers.networks import LABEL, Build

SIZES = [(64, 96), (128, 64)]  # (height, width)
# Those of tensorflow/lite/tools/versioning/gpu_compatibility.cc, and CAST and ROUND
GPU_OPERATORS = {
    *("ABS", "ADD", "AVERAGE_POOL_2D", "CAST", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE"),
    *("DEQUANTIZE", "LOGISTIC", "MAX_POOL_2D"),
    *("MEAN", "MUL", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RELU", "ROUND", "RSQRT", "SLICE", "SQUARE"),
    *("SUB",),
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory, trained: transform_net.TransformNet) -> Any:
    """The file of the trained network as LiteRT's own code reads it."""
    path = tmp_path_factory.mktemp("litert") / "model.tflite"
    writer.write(trained, path, SIZES, LABEL)
    return reference_schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)


def run(path: Path, rgba: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:
    """The output of the signature for an image."""
    height, width, _ = rgba.shape
    runner = Interpreter(str(path)).get_signature_runner(f"size_{width}x{height}")
    return runner(image=rgba[None])["stylized"][0]


@pytest.mark.parametrize("name", ["johnson", "mobile", "tiny", "eighth", "studio"])
def test_write_gives_the_output_of_the_network_and_the_alpha_of_the_image(
    name: str, build: Build, tmp_path: Path
) -> None:
    network = build(name)
    writer.write(network, tmp_path / "model.tflite", SIZES, LABEL)
    for height, width in SIZES:
        rgb = picture(height, width)
        alpha = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
        stylized = run(tmp_path / "model.tflite", np.dstack([rgb, alpha]))
        expected = reference(network)(rgb)
        assert expected.std() > 10
        assert np.abs(expected.astype(int) - stylized[..., :3]).max() <= 1
        np.testing.assert_array_equal(stylized[..., 3], alpha)


def test_write_twice_gives_the_same_bytes(trained: transform_net.TransformNet, tmp_path: Path) -> None:
    for name in ("one", "two"):
        writer.write(trained, tmp_path / name, SIZES, LABEL)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "most"), [("mobile", 260_000), ("tiny", 75_000)])
def test_write_of_three_sizes_stays_small(model: str, most: int, tmp_path: Path) -> None:
    network, card = checkpoint.load(zoo.resolve("zoo/starry_night", checkpoint.SUFFIX, model))
    one, three = tmp_path / "one", tmp_path / "three"
    writer.write(network, one, [(256, 256)], Label.of(card))
    writer.write(network, three, [(256, 256), (512, 512), (1024, 1024)], Label.of(card))
    weights = 2 * sum(weight.numel() for weight in network.parameters())
    assert three.stat().st_size - one.stat().st_size < weights / 2
    assert three.stat().st_size <= most


def test_write_of_passes_uses_operators_that_a_gpu_takes(build: Build, tmp_path: Path) -> None:
    writer.write(build("studio"), tmp_path / "model.tflite", [(64, 96)], LABEL)
    model = reference_schema.ModelT.InitFromPackedBuf((tmp_path / "model.tflite").read_bytes(), 0)
    names = {code: name for name, code in vars(reference_schema.BuiltinOperator).items() if name[0] != "_"}
    used = {names[code.builtinCode] for code in model.operatorCodes}
    assert {"AVERAGE_POOL_2D", "MAX_POOL_2D"} < used <= GPU_OPERATORS


def test_write_of_passes_matches_the_network_where_a_photo_is_flat(build: Build, tmp_path: Path) -> None:
    photo = np.full((352, 352, 3), 200, np.uint8)
    photo[:64, :64] = picture(64, 64)
    writer.write(build("studio"), tmp_path / "model.tflite", [(352, 352)], LABEL)
    stylized = run(tmp_path / "model.tflite", np.dstack([photo, photo[..., :1]]))[..., :3]
    assert np.abs(reference(build("studio"))(photo).astype(int) - stylized).max() <= 1


def test_write_uses_operators_that_a_gpu_takes(parsed: Any) -> None:
    names = {code: name for name, code in vars(reference_schema.BuiltinOperator).items() if name[0] != "_"}
    for subgraph in parsed.subgraphs:
        counts = Counter(names[parsed.operatorCodes[node.opcodeIndex].builtinCode] for node in subgraph.operators)
        assert {*counts} <= GPU_OPERATORS
        assert counts["CONV_2D"] > 3 and counts["DEPTHWISE_CONV_2D"] == 1 and counts["DEQUANTIZE"] > 3
    for code in parsed.operatorCodes:
        assert code.deprecatedBuiltinCode == min(code.builtinCode, 127)


def test_write_leaves_only_the_casts_to_the_reference_kernels(
    trained: transform_net.TransformNet, tmp_path: Path
) -> None:
    """XNNPACK takes one partition, from the result of the first CAST to the input of the last."""
    writer.write(trained, tmp_path / "model.tflite", SIZES[:1], LABEL)
    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    (first, last), (delegate,) = ([node for node in nodes if node["op_name"] == name] for name in ("CAST", "DELEGATE"))
    computed = {index for node in nodes if node is not delegate for index in node["outputs"]}
    expanded = {index for node in nodes if node["op_name"] == "DEQUANTIZE" for index in node["outputs"]}
    assert {*delegate["inputs"]} & computed - expanded == {*first["outputs"]}
    assert [*delegate["outputs"]] == [*last["inputs"]]


def test_write_describes_each_size_by_a_signature(parsed: Any) -> None:
    assert [key.signatureKey for key in parsed.signatureDefs] == [b"size_96x64", b"size_64x128"]
    for signature, (height, width) in zip(parsed.signatureDefs, SIZES, strict=True):
        subgraph = parsed.subgraphs[signature.subgraphIndex]
        for (end,), indices, name in (
            (signature.inputs, subgraph.inputs, b"image"),
            (signature.outputs, subgraph.outputs, b"stylized"),
        ):
            tensor = subgraph.tensors[end.tensorIndex]
            assert [*indices] == [end.tensorIndex] and (end.name, tensor.name) == (name, name)
            assert tensor.type == reference_schema.TensorType.UINT8 and [*tensor.shape] == [1, height, width, 4]


def test_write_stores_large_weights_once_in_16_bits(parsed: Any, trained: transform_net.TransformNet) -> None:
    first, *others = (module.weight.numel() for module in trained.modules() if isinstance(module, nn.Conv2d))
    halves = {
        tensor.buffer: int(np.prod(tensor.shape))
        for subgraph in parsed.subgraphs
        for tensor in subgraph.tensors
        if tensor.type == reference_schema.TensorType.FLOAT16
    }
    assert sorted(halves.values()) == sorted(size for size in others if size >= 128)
    values = np.concatenate([np.frombuffer(parsed.buffers[index].data.tobytes(), np.float16) for index in halves])
    assert (np.abs(values[values != 0]) < 2.0**-14).mean() < 0.01  # subnormal in fp16
    floats = sorted(
        len(parsed.buffers[buffer].data)
        for buffer in {
            tensor.buffer
            for subgraph in parsed.subgraphs
            for tensor in subgraph.tensors
            if tensor.type == reference_schema.TensorType.FLOAT32 and tensor.buffer
        }
    )
    assert floats[-1] == 4 * first > floats[-2] and floats[-2] < 4 * 128  # the filters of pixels, and vectors


def test_write_of_a_smooth_picture_gives_the_output_of_the_network(tmp_path: Path) -> None:
    """With filters of pixels in 16 bits, the picture would differ by 9 levels: norms enlarge their rounding."""
    network, card = checkpoint.load(zoo.resolve("zoo/contrast_of_forms/tiny", checkpoint.SUFFIX))
    ramp = np.linspace(0, 255, 256).round().astype(np.uint8)
    across, down = np.broadcast_to(ramp, (256, 256)), np.broadcast_to(ramp[:, None], (256, 256))
    rgb = np.dstack([across, down, np.full_like(across, 90)])
    writer.write(network.eval(), tmp_path / "model.tflite", [(256, 256)], Label.of(card))
    stylized = run(tmp_path / "model.tflite", np.dstack([rgb, np.full_like(across, 255)]))
    assert np.abs(reference(network)(rgb).astype(int) - stylized[..., :3]).max() <= 1


def test_write_stores_style_license_contract_and_version(parsed: Any) -> None:
    (entry,) = parsed.metadata
    metadata = json.loads(parsed.buffers[entry.buffer].data.tobytes())
    assert entry.name == b"impasto" and parsed.description == b"impasto" and parsed.version == 3
    assert (metadata["style"], metadata["artist"], metadata["style_license"]) == ("swirls", "Ünal", "CC0-1.0")
    assert metadata["impasto"] == LABEL.version and metadata["variant"] == "fp16"
    assert metadata["contract"].startswith("image: uint8 [1, height, width, 4], RGBA bytes")


def test_write_of_an_unknown_module_names_it(tmp_path: Path) -> None:
    network = transform_net.TransformNet(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh()))
    with pytest.raises(TypeError, match="no LiteRT operators are known for Tanh"):
        writer.write(network.eval(), tmp_path / "model.tflite", SIZES, LABEL)


def test_write_computes_a_relu_that_follows_no_sum(tmp_path: Path) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 3, 2 * transform_net.BORDER + 1), nn.ReLU())
    network = transform_net.TransformNet(body).eval()
    writer.write(network, tmp_path / "model.tflite", [(32, 32)], LABEL)
    rgb = picture(32, 32)
    stylized = run(tmp_path / "model.tflite", np.dstack([rgb, rgb[..., 0]]))
    assert np.abs(reference(network)(rgb).astype(int) - stylized[..., :3]).max() <= 1
