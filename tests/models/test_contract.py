"""The contracts of the ONNX files, the line of them in the files' metadata, and the label."""

import importlib.metadata

import pytest

from impasto.models.card import Card
from impasto.models.contract import Label, TensorSpec, onnx_contract, sentence
from tests.helpers.networks import CARD, LABEL


def test_onnx_contract_names_shapes_values_and_versions() -> None:
    contract = onnx_contract("uint8_rgba")
    shape = (1, "height", "width", 4)
    assert contract.inputs == (TensorSpec("image", "uint8", shape, "RGBA bytes, straight alpha"),)
    assert contract.output == TensorSpec("stylized", "uint8", shape, "RGBA bytes, the alpha of the input")
    assert contract.requires == {"opset": 18, "ir_version": 8}  # of ONNX 1.13: ONNX Runtime 1.14 and later
    assert [(spec.name, spec.type, spec.shape) for spec in contract.optional_inputs] == [("strength", "float32", ())]
    floats = onnx_contract("float32_rgb")
    planar = (1, 3, "height", "width")
    assert floats.inputs == (TensorSpec("image", "float32", planar, "RGB 0..255"),)
    assert floats.output == TensorSpec("stylized", "float32", planar, "RGB 0..255, not rounded")
    assert floats.requires == contract.requires and floats.sides == contract.sides


STRENGTH = "optional strength: float32, 0..1, 1 if not given: how much of the stylized picture is mixed into the photo"


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
    assert sentence(onnx_contract(io)) == f"{line}; {STRENGTH}"


def test_label_of_an_incomplete_card_has_no_card() -> None:
    model = {"model": {"name": "mobile", "width": 0.25, "blocks": 1}}
    for part in ("loss", "style"):
        rest = {name: values for name, values in CARD.items() if name != part}
        assert Label.of(Card.from_json(model | rest)).card == "{}"
    nameless = Label.of(Card.from_json(model))
    assert (nameless.style, nameless.artist, nameless.license) == ("unknown", "unknown", "unknown")
    private = Card.from_json(model | CARD | {"style": CARD["style"] | {"image": "/home/me/painting.jpg"}})
    assert Label.of(private).card == LABEL.card != "{}"


def test_label_of_a_card_names_style_and_version_on_one_line() -> None:
    style = CARD["style"] | {"artist": " Vincent\n van  Gogh "}
    label = Label.of(
        Card.from_json({"model": {"name": "mobile", "width": 0.25, "blocks": 1}} | CARD | {"style": style})
    )
    assert (label.style, label.artist, label.license) == ("swirls", "Vincent van Gogh", "CC0-1.0")
    assert label.version == importlib.metadata.version("impasto")
