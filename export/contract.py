"""The contract of an exported file: its inputs and output, and how close its images must come to PyTorch's."""

import importlib.metadata
import json
from dataclasses import dataclass

from impasto.models.card import UNKNOWN, Card, ExportedCard
from impasto.models.typed_json import TypedJson

INPUT = "image"
OUTPUT = "stylized"


@dataclass(frozen=True)
class Label:
    """The style and the version of impasto that an exported file names in its metadata.

    `card` is JSON: the loss and the style of the checkpoint's card, or an empty object where it lacks one of them.
    `stroke_resolution` is that of the style's card, None for a network without one. `license` is that of the network's
    weights.
    """

    style: str
    artist: str
    style_license: str
    version: str
    card: str
    stroke_resolution: int | None = None
    license: str = UNKNOWN

    @classmethod
    def of(cls, card: Card) -> "Label":
        """Return the label of a checkpoint's card; a value that the card lacks becomes `unknown`."""
        named = (card.style.name, card.style.artist, card.style.license) if card.style else ("", "", "")
        name, artist, style_license, license = (_line(value) for value in (*named, card.license))
        stored = ExportedCard.of(card)
        text = json.dumps(stored.to_json() if stored else {}, separators=(",", ":"), sort_keys=True)
        resolution = card.style.stroke_resolution if card.style else None
        return cls(name, artist, style_license, importlib.metadata.version("impasto"), text, resolution, license)


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
    """A name for the file format, for example `onnx` or `coreml`: which runtimes can run it."""
    weights: str
    """How weights are stored, for example `float32`, `fp16` or `int8`."""
    contract: Contract
    tolerance: Tolerance
    functions: dict[str, ImageSize]
    """The functions of a model of fixed sizes, with the image size of each; empty for one that takes any size. A model
    whose format has no functions, such as ONNX, has one, `main`."""
    tiling: Tiling | None
    """Set for a model that runs on tiles."""


@dataclass(frozen=True)
class ExportedFiles:
    """What an exporter wrote into a bundle.

    `descriptions` has a line on each file or package, by its path in the bundle, in the order of the bundle's README.
    """

    models: list[ModelArtifact]
    descriptions: dict[str, str]


def sentence(contract: Contract) -> str:
    """Return a contract on one line. ONNX files carry it in their metadata: its words are part of their bytes."""
    ends = []
    for spec in (contract.inputs[0], contract.output):
        ends.append(f"{spec.name}: {spec.type} [{', '.join(str(side) for side in spec.shape)}], {spec.values}")
    return f"{' -> '.join(ends)}; {contract.sides}"
