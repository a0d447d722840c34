"""The contract of an exported file: its inputs and output, and what its metadata says of the style. No torch."""

import importlib.metadata
from dataclasses import dataclass

from impasto.models.card import Card, ExportedCard
from impasto.models.typed_json import TypedJson

INPUT = "image"
OUTPUT = "stylized"
OPSET = 18  # ONNX 1.13
IR = 8  # also of ONNX 1.13, so that ONNX Runtime 1.14 and later load the file
VARIANT = "variant"  # the metadata key for how weights are stored: fp32, fp16 or int8


@dataclass(frozen=True)
class Label:
    """The style and the version of impasto that an exported file names in its metadata.

    `card` is JSON: the loss and the style of the checkpoint's card, or an empty object where it lacks one of them.
    `stroke_resolution` is that of the style's card, None for a network without one.
    """

    style: str
    artist: str
    license: str
    version: str
    card: str
    stroke_resolution: int | None = None

    @classmethod
    def of(cls, card: Card) -> "Label":
        """Return the label of a checkpoint's card; a value that the card lacks becomes `unknown`."""
        from impasto.models.onnx_model import card_text  # loads Pillow, which the preview server does without

        named = (card.style.name, card.style.artist, card.style.license) if card.style else ("", "", "")
        name, artist, license = (" ".join((value or "unknown").split()) for value in named)
        stored = ExportedCard.of(card)
        text = "{}" if stored is None else card_text(stored)
        resolution = card.style.stroke_resolution if card.style else None
        return cls(name, artist, license, importlib.metadata.version("impasto"), text, resolution)


@dataclass(frozen=True)
class TensorSpec(TypedJson):
    """One input or output of a file."""

    name: str
    type: str
    """`uint8`, `float32`, or `image` for Core ML."""
    shape: tuple[int | str, ...]
    """The sides; a name stands for one that the caller chooses."""
    values: str
    """What the numbers mean, and their range."""


@dataclass(frozen=True)
class Contract(TypedJson):
    """What a file takes and returns."""

    inputs: tuple[TensorSpec, ...]
    optional_inputs: tuple[TensorSpec, ...]
    """Inputs with a default, which a caller may leave out."""
    output: TensorSpec
    sides: str
    """Which image sizes the file accepts."""
    requires: dict[str, int | str]
    """The versions that a runtime must support."""


def onnx_contract(io: str) -> Contract:
    """Return the contract of an ONNX file; `io` is `uint8_rgba` or `float32_rgb`."""
    from impasto.models.onnx_model import MIN_SIDE, STRENGTH  # loads Pillow, which the preview server does without

    shape: tuple[int | str, ...]
    if io == "uint8_rgba":
        kind, values, result = "uint8", "RGBA bytes, straight alpha", "RGBA bytes, the alpha of the input"
        shape = (1, "height", "width", 4)
    else:
        kind, values, result = "float32", "RGB 0..255", "RGB 0..255, not rounded"
        shape = (1, 3, "height", "width")
    share = "0..1, 1 if not given: how much of the stylized picture is mixed into the photo"
    return Contract(
        inputs=(TensorSpec(INPUT, kind, shape, values),),
        optional_inputs=(TensorSpec(STRENGTH, "float32", (), share),),
        output=TensorSpec(OUTPUT, kind, shape, result),
        sides=f"any height and width from {MIN_SIDE} on; the output is as large as the input",
        requires={"opset": OPSET, "ir_version": IR},
    )


def sentence(contract: Contract) -> str:
    """Return a contract on one line. ONNX files carry it in their metadata: its words are part of their bytes."""
    ends = []
    for spec in (contract.inputs[0], contract.output):
        ends.append(f"{spec.name}: {spec.type} [{', '.join(str(side) for side in spec.shape)}], {spec.values}")
    line = f"{' -> '.join(ends)}; {contract.sides}"
    return line + "".join(f"; optional {spec.name}: {spec.type}, {spec.values}" for spec in contract.optional_inputs)
