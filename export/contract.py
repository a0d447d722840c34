"""The contract of an exported file: its inputs and output, and how close its images must come to PyTorch's."""

import importlib.metadata
from dataclasses import dataclass
from typing import Any

from impasto.export.typed_json import TypedJson

INPUT = "image"
OUTPUT = "stylized"
STATISTICS = "statistics"  # float32 [2, channels]: the means, then the variances, of each instance norm in turn
OPSET = 18  # ONNX 1.13: what torch's exporter writes natively
IR = 8  # also of ONNX 1.13, so that ONNX Runtime 1.14 and later load the file
SPECIFICATION = 7  # Core ML's number for iOS 16
MULTIFUNCTION = 9  # and for iOS 18, the first with packages of several functions
VARIANT = "variant"  # the metadata key for how weights are stored: fp32, fp16 or int8
STYLE_IDENTITY = ("name", "sha256", "size", "painter", "seed")  # the keys of a card that identify a style image

MIL_INTERPRETER = "reference interpreter, not Apple's runtime"  # its name in the parity table

# ModelArtifact.format
ONNX, ORT, TILED_ONNX, COREML = "onnx", "ort", "onnx-tiles", "coreml"


@dataclass(frozen=True)
class Label:
    """The style and the version of impasto that an exported file names in its metadata.

    `card` is JSON: the loss and the style of the checkpoint's card, or an empty object where the card lacks a part.
    """

    style: str
    artist: str
    license: str
    version: str
    card: str

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Label":
        """Return the label of a checkpoint's card; a value that the card lacks becomes `unknown`."""
        from impasto.models.onnx_model import card_text  # loads Pillow, which the preview server does without

        style = card.get("style") or {}
        name, artist, license = (
            " ".join(str(style.get(key) or "unknown").split()) for key in ("name", "artist", "license")
        )
        identity = {key: style[key] for key in STYLE_IDENTITY if key in style}
        complete = card.get("loss") and len(identity) == len(STYLE_IDENTITY)
        text = card_text(card["loss"], identity) if complete else "{}"
        return cls(name, artist, license, importlib.metadata.version("impasto"), text)


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


@dataclass(frozen=True)
class Tolerance(TypedJson):
    """The largest allowed difference from the reference. One of the two is set."""

    max_difference: int | None = None
    """The largest difference of a byte, 0..255."""
    min_psnr: float | None = None
    """The lowest PSNR, in dB."""

    def __str__(self) -> str:
        if self.max_difference is not None:
            return f"at most {self.max_difference}"
        return f"{self.min_psnr:g} dB or more"


@dataclass(frozen=True)
class ImageSize(TypedJson):
    """The size of an image in px."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Tiling(TypedJson):
    """How an app runs a model on the tiles of a large photo."""

    stats: str
    """The ONNX file that measures the statistics of a photo, by its path in the bundle."""
    stats_contract: Contract
    side: int
    """The side of a tile, in px."""
    margin: int
    """How many px at each inner edge of a tile are computed but not used."""
    multiple: int
    """Tiles start at multiples of this number of px."""


@dataclass(frozen=True)
class ModelArtifact(TypedJson):
    """A model of a bundle: one file, or one Core ML package."""

    file: str
    """Its path in the bundle."""
    format: str
    """`onnx`, `ort`, `onnx-tiles` or `coreml`: which runtimes can run it."""
    weights: str
    """How weights are stored: `float32`, `fp16` or `int8`."""
    contract: Contract
    tolerance: Tolerance
    functions: dict[str, ImageSize]
    """The functions of a Core ML package, with the image size of each; empty for other formats."""
    tiling: Tiling | None
    """Set for a model that runs on tiles."""


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


def tiled_contracts(side: int, channels: int) -> tuple[Contract, Contract]:
    """Return the contracts of the two files for large photos: the one that measures, and the one for a tile.

    `channels` is the number of channels of all instance norms together.
    """
    whole = onnx_contract("uint8_rgba")
    values = "mean and variance of what each instance norm normalizes, over the picture"
    statistics = TensorSpec(STATISTICS, "float32", (2, channels), values)
    (image,), shape = whole.inputs, (1, side, side, 4)
    stats = Contract((image,), (), statistics, whole.sides.partition(";")[0], whole.requires)
    tile, output = (TensorSpec(spec.name, spec.type, shape, spec.values) for spec in (image, whole.output))
    return stats, Contract((tile, statistics), (), output, "one tile", whole.requires)


def coreml_contract(multifunction: bool) -> Contract:
    """Return the contract of a Core ML package of one size, or of several (`multifunction`)."""
    shape = ("height", "width")
    return Contract(
        inputs=(TensorSpec(INPUT, "image", shape, "RGB"),),
        optional_inputs=(),
        output=TensorSpec(OUTPUT, "image", shape, "RGB"),
        sides="only the size of the function that is called",
        requires={
            "specification_version": MULTIFUNCTION if multifunction else SPECIFICATION,
            "deployment_target": "iOS 18" if multifunction else "iOS 16",
            "compute_precision": "float16",
        },
    )


def sentence(contract: Contract) -> str:
    """Return a contract on one line. ONNX files carry it in their metadata: its words are part of their bytes."""
    ends = []
    for spec in (contract.inputs[0], contract.output):
        ends.append(f"{spec.name}: {spec.type} [{', '.join(str(side) for side in spec.shape)}], {spec.values}")
    line = f"{' -> '.join(ends)}; {contract.sides}"
    return line + "".join(f"; optional {spec.name}: {spec.type}, {spec.values}" for spec in contract.optional_inputs)
