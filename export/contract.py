"""What an exporter writes: models with their contracts, and how close their images must come to PyTorch's."""

from dataclasses import dataclass, field

from impasto.models.contract import Contract
from impasto.models.typed_json import TypedJson


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


def in_16_bits(levels: int, psnr: float, passes: int) -> Tolerance:
    """Return the tolerance of a file that a runtime computes in 16-bit floats.

    It is in levels for a network of one pass. Later passes enlarge the errors of single pixels on plain surfaces, so
    their result has to reach a PSNR, as in Core ML.
    """
    return Tolerance(max_difference=levels) if passes == 1 else Tolerance(min_psnr=psnr)


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
    runtime_tolerances: dict[str, Tolerance] = field(default_factory=dict)
    """By key of parity.runtimes: what replaces `tolerance` in a runtime that computes in another way."""

    def tolerance_in(self, key: str) -> Tolerance:
        """Return the tolerance in the runtimes of a key of parity.runtimes."""
        return self.runtime_tolerances.get(key, self.tolerance)


@dataclass(frozen=True)
class StyledArtifact(ModelArtifact):
    """A model of a store with the weights of its styles: what a runtime is to run. No manifest has one."""

    style_weights: tuple[float, ...] = field(kw_only=True)


def style_weights(artifact: ModelArtifact) -> tuple[float, ...]:
    """Return the weights of the styles that a model takes as its second input; empty for one that has none."""
    blends = isinstance(artifact, StyledArtifact) and len(artifact.contract.inputs) > 1
    return artifact.style_weights if isinstance(artifact, StyledArtifact) and blends else ()


def style_function(index: int) -> str:
    """Return how the names of the functions of a style begin, in a model that has a function for each."""
    return f"style{index}_"


def styled(artifact: ModelArtifact, weights: tuple[float, ...]) -> StyledArtifact | None:
    """Return a model of a store that is to run with these weights of the styles; None if it cannot blend them."""
    if len(artifact.contract.inputs) > 1:
        return StyledArtifact(**vars(artifact), style_weights=weights)
    if not artifact.functions:  # the file of the first style, which an app writes others into
        return StyledArtifact(**vars(artifact), style_weights=()) if weights[0] == 1.0 else None
    if 1.0 not in weights:
        return None
    prefix = style_function(weights.index(1.0))
    functions = {name: size for name, size in artifact.functions.items() if name.startswith(prefix)}
    return StyledArtifact(**(vars(artifact) | {"functions": functions}), style_weights=weights) if functions else None


@dataclass(frozen=True)
class ExportedFiles:
    """What an exporter wrote into a bundle.

    `descriptions` has a line on each file or package, by its path in the bundle, in the order of the bundle's README.
    """

    models: list[ModelArtifact]
    descriptions: dict[str, str]
