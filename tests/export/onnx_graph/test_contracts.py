"""The contracts of the ONNX files for large photos."""

from impasto.export.onnx_graph.contracts import tiled_contracts
from impasto.models.contract import TensorSpec, onnx_contract


def test_tiled_contracts_share_the_statistics() -> None:
    stats, tile = tiled_contracts(512, 96)
    image = TensorSpec("image", "uint8", (1, 512, 512, 4), "RGBA bytes, straight alpha")
    assert stats.inputs == onnx_contract("uint8_rgba").inputs
    assert tile.inputs == (image, stats.output)
    assert (stats.output.name, stats.output.type, stats.output.shape) == ("statistics", "float32", (2, 96))
    assert tile.output == TensorSpec("stylized", "uint8", image.shape, "RGBA bytes, the alpha of the input")
    assert (stats.sides, tile.sides) == ("any height and width from 16 on", "one tile")
    assert stats.optional_inputs == tile.optional_inputs == ()
    assert stats.requires == tile.requires == onnx_contract("uint8_rgba").requires
