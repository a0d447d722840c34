"""The contracts of the ONNX files, and the line of them in the files' metadata."""

import pytest

from impasto.export.contract import TensorSpec, sentence
from impasto.export.onnx_graph.contracts import onnx_contract, tiled_contracts


def test_onnx_contract_names_shapes_values_and_versions() -> None:
    contract = onnx_contract("uint8_rgba")
    shape = (1, "height", "width", 4)
    assert contract.inputs == (TensorSpec("image", "uint8", shape, "RGBA bytes, straight alpha"),)
    assert contract.output == TensorSpec("stylized", "uint8", shape, "RGBA bytes, the alpha of the input")
    assert contract.requires == {"opset": 18, "ir_version": 8}  # of ONNX 1.13: ONNX Runtime 1.14 and later
    floats = onnx_contract("float32_rgb")
    planar = (1, 3, "height", "width")
    assert floats.inputs == (TensorSpec("image", "float32", planar, "RGB 0..255"),)
    assert floats.output == TensorSpec("stylized", "float32", planar, "RGB 0..255, not rounded")
    assert floats.requires == contract.requires and floats.sides == contract.sides


@pytest.mark.parametrize(
    ("io", "line"),
    [
        (
            "uint8_rgba",
            "image: uint8 [1, height, width, 4], RGBA bytes, straight alpha -> "
            "stylized: uint8 [1, height, width, 4], RGBA bytes, the alpha of the input; "
            "any height and width from 16 on; the output is as large as the input",
        ),
        (
            "float32_rgb",
            "image: float32 [1, 3, height, width], RGB 0..255 -> "
            "stylized: float32 [1, 3, height, width], RGB 0..255, not rounded; "
            "any height and width from 16 on; the output is as large as the input",
        ),
    ],
)
def test_sentence_of_an_onnx_contract_is_the_line_in_exported_files(io: str, line: str) -> None:
    assert sentence(onnx_contract(io)) == line


def test_onnx_contract_of_a_fixed_size_names_it() -> None:
    for io, shape in (("uint8_rgba", (1, 64, 96, 4)), ("float32_rgb", (1, 3, 64, 96))):
        contract = onnx_contract(io, (64, 96))
        assert contract.inputs[0].shape == contract.output.shape == shape and contract.sides == "this size only"
        assert contract.requires == onnx_contract(io).requires


def test_tiled_contracts_share_the_statistics() -> None:
    stats, tile = tiled_contracts(512, 96)
    image = TensorSpec("image", "uint8", (1, 512, 512, 4), "RGBA bytes, straight alpha")
    assert stats.inputs == onnx_contract("uint8_rgba").inputs
    assert tile.inputs == (image, stats.output)
    assert (stats.output.name, stats.output.type, stats.output.shape) == ("statistics", "float32", (2, 96))
    assert tile.output == TensorSpec("stylized", "uint8", image.shape, "RGBA bytes, the alpha of the input")
    assert (stats.sides, tile.sides) == ("any height and width from 16 on", "one tile")
    assert stats.requires == tile.requires == onnx_contract("uint8_rgba").requires
