"""The contract of an exported file: its inputs and output, and what its metadata says of the style. No torch."""

import importlib.metadata
import json
from dataclasses import dataclass

from impasto.models.card import STYLE_NAMES, STYLES, UNKNOWN, Card, ExportedCard, StoreCard, StyleLabel
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
    `stroke_resolution` and `grain` are those of the style's card; None is a network without one, and a whole store has
    no grain. `license` is that of the network's weights. `styles` are those of a store; `style` is then its name, and
    what its styles do not share is unknown.
    """

    style: str
    artist: str
    style_license: str
    version: str
    card: str
    stroke_resolution: int | None = None
    license: str = UNKNOWN
    styles: tuple[StyleLabel, ...] = ()
    grain: float = 0.0

    @classmethod
    def of(cls, card: Card) -> "Label":
        """Return the label of a checkpoint's card; a value that the card lacks becomes `unknown`."""
        if card.store is not None:
            return cls._of_store(card, card.store)
        named = (card.style.name, card.style.artist, card.style.license) if card.style else ("", "", "")
        name, artist, style_license, license = (_line(value) for value in (*named, card.license))
        stored = ExportedCard.of(card)
        text = json.dumps(stored.to_json() if stored else {}, separators=(",", ":"), sort_keys=True)
        resolution, grain = (card.style.stroke_resolution, card.style.grain) if card.style else (None, 0.0)
        version = importlib.metadata.version("impasto")
        return cls(name, artist, style_license, version, text, resolution, license, grain=grain)

    @classmethod
    def _of_store(cls, card: Card, store: StoreCard) -> "Label":
        styles = tuple(
            StyleLabel(_line(style.name), _line(style.artist), _line(style.license), style.stroke_resolution)
            for style in store.styles
        )
        artists, licenses = {style.artist for style in styles}, {style.license for style in styles}
        sides = {style.stroke_resolution for style in styles}
        return cls(
            style=_line(store.name),
            artist=artists.pop() if len(artists) == 1 else UNKNOWN,
            style_license=licenses.pop() if len(licenses) == 1 else UNKNOWN,
            version=importlib.metadata.version("impasto"),
            card="{}",
            stroke_resolution=sides.pop() if len(sides) == 1 else None,
            license=_line(card.license),
            styles=styles,
        )


def _line(value: str) -> str:
    return " ".join((value or UNKNOWN).split())


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
    output: TensorSpec
    sides: str
    """Which image sizes the file accepts."""
    requires: dict[str, int | str]
    """The versions that a runtime must support."""


def styles_input(count: int) -> TensorSpec:
    """Return the second input of a store of this many styles."""
    return TensorSpec(STYLES, "float32", (count,), "the weight of each style, in the order of `styles`; they sum to 1")


def onnx_contract(io: str, size: tuple[int, int] | None = None, styles: int = 0) -> Contract:
    """Return the contract of an ONNX file.

    Args:
        io: `uint8_rgba` or `float32_rgb`.
        size: (height, width) of the only images that it takes; None for any size.
        styles: The number of styles of a store; 0 for a network of one painting.
    """
    from impasto.models.onnx_model import MIN_SIDE  # loads Pillow, which the preview server does without

    height, width = size or ("height", "width")
    sides = f"any height and width from {MIN_SIDE} on; the output is as large as the input"
    shape: tuple[int | str, ...]
    if io == "uint8_rgba":
        kind, values, result = "uint8", "RGBA bytes, straight alpha", "RGBA bytes, the alpha of the input"
        shape = (1, height, width, 4)
    else:
        kind, values, result = "float32", "RGB 0..255", "RGB 0..255, not rounded"
        shape = (1, 3, height, width)
    return Contract(
        inputs=(TensorSpec(INPUT, kind, shape, values), *([styles_input(styles)] if styles else [])),
        output=TensorSpec(OUTPUT, kind, shape, result),
        sides="this size only" if size else sides,
        requires={"opset": OPSET, "ir_version": IR},
    )


def metadata(label: Label, contract: Contract, variant: str) -> dict[str, str]:
    """Return the metadata of an exported file; a network without a stroke resolution or grain has no key for it.

    Args:
        label: The style and the version.
        contract: The file's contract.
        variant: How weights are stored: fp32, fp16 or int8.
    """
    from impasto.models.onnx_model import CARD  # loads Pillow

    styles = {}
    if label.styles:
        styles = {STYLES: json.dumps([style.to_json() for style in label.styles])}
        styles |= {STYLE_NAMES: "\n".join(style.name for style in label.styles)}
    return {
        "style": label.style,
        "artist": label.artist,
        "style_license": label.style_license,
        "license": label.license,
        "impasto": label.version,
        "torch": importlib.metadata.version("torch"),
        "contract": sentence(contract),
        VARIANT: variant,
        CARD: label.card,
        **defaults(label),
        **styles,
    }


def defaults(label: Label) -> dict[str, str]:
    """Return the part of the metadata that says how a photo is stylized by default, for every format."""
    from impasto.models.onnx_model import GRAIN, STROKE_RESOLUTION  # loads Pillow

    resolution = {STROKE_RESOLUTION: str(label.stroke_resolution)} if label.stroke_resolution else {}
    return resolution | ({GRAIN: str(label.grain)} if label.grain else {})


def sentence(contract: Contract) -> str:
    """Return a contract on one line. ONNX files carry it in their metadata: its words are part of their bytes."""
    *inputs, output = (
        f"{spec.name}: {spec.type} [{', '.join(str(side) for side in spec.shape)}], {spec.values}"
        for spec in (*contract.inputs, contract.output)
    )
    return f"{' + '.join(inputs)} -> {output}; {contract.sides}"
