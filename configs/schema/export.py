"""The settings of impasto-export."""

import math
from dataclasses import field, replace
from typing import Annotated, ClassVar, Self

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.bench import BenchmarkConfig
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.sizes import parse_size, require_multiples, shapes

ZOO_MODELS = ("mobile", "tiny", "studio")  # of each painting in the zoo; the first is the default
RUNTIMES = ("onnxruntime", "qnn", "node", "chromium", "arm64", "coreml", "litert", "litert_gpu", "litert_fp16")
EMULATORS = ("qnn", "litert_gpu")  # of RUNTIMES: an NPU and a GPU in software, minutes for each picture of 1024 px
TOOLS = Key(
    "Directory of the runtimes for node, chromium and arm64: build/tools after `make tools`. Their code is run, so "
    "none is used unless it is named.",
    path="DIR",
)
RUNTIMES_KEY = Key(
    "Runtimes in which the models must run; null takes each that is installed, and reports the others as not run.",
    choices=RUNTIMES,
)
_SIDES = range(32, 4097, 4)  # px of files of a fixed size: networks halve an image twice
_SIZE_RULE = f"sides of {_SIDES[0]} to {_SIDES[-1]} px, divisible by {_SIDES.step}, as in 256 or 768x1024"


def _check_size(setting: str, size: int | str) -> None:
    if (shape := parse_size(size)) is None or not {*shape} <= {*_SIDES}:
        raise UsageError(f"{setting}: {size} is not a valid size; give N or WIDTHxHEIGHT with {_SIZE_RULE}")


def _check_sizes(key: str, sizes: list[int | str]) -> None:
    for size in sizes:
        _check_size(f"{key}={shown(sizes)}", size)
    if len({*shapes(sizes)}) < len(sizes):
        raise UsageError(f"{key}={shown(sizes)} repeats a size; name each size once")


def _shapes(
    key: str, sizes: list[int | str] | None, stroke_resolution: int | None, stride: int
) -> list[tuple[int, int]]:
    """The sizes of a setting as (height, width), or their defaults for a network of this stroke resolution and stride.

    Raises:
        UsageError: The network would have to pad a picture of one of the sizes.
    """
    if sizes is not None:
        require_multiples(key, shapes(sizes), stride)
        return shapes(sizes)
    if stroke_resolution is None:
        return shapes([256, 512, 1024])
    short = stride * round(min(max(stroke_resolution, _SIDES[0]), _SIDES[-1] * 3 // 4) / stride)
    long = stride * round(short * 4 / 3 / stride)
    return [(long, short), (short, long)]


def require_a_runtime(key: str, runtimes: list[str] | None) -> None:
    """Raise UsageError for an empty list: nothing would be compared."""
    if runtimes == []:
        raise UsageError(f"{key}=[] is empty; name a runtime, or give null for each that is installed")


@dataclass(config=CONFIG)
class OnnxConfig:
    """The ONNX files."""

    io: Annotated[
        str,
        Key("Input and output: RGBA bytes, or RGB floats of 0..255 as NCHW.", choices=("uint8_rgba", "float32_rgb")),
    ] = "uint8_rgba"
    tile: Annotated[
        int | str,
        Key(
            "Side of android/tile.onnx, which apps run over large images, in pixels; auto is 512, or what the "
            "receptive field of the network needs.",
            *(32, 4096),
            step=4,
            choices=("auto",),
        ),
    ] = "auto"
    fixed_sizes: Annotated[
        list[int | str],
        Key(
            "One more file per size, each N for a square or WIDTHxHEIGHT: android/model_WIDTHxHEIGHT.onnx, without "
            "shape arithmetic, for libraries that take fixed sizes only, such as OpenCV's dnn."
        ),
    ] = field(default_factory=list)

    npu_size: Annotated[
        int | str,
        Key(
            "Size of android/model.npu.onnx, for Qualcomm's NPU, N for a square or WIDTHxHEIGHT; auto is a square of "
            "the stroke resolution, or of 512 px for a network without one; none writes no such file."
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        _check_sizes("onnx.fixed_sizes", self.fixed_sizes)
        if self.npu_size not in ("auto", "none"):
            _check_size(f"onnx.npu_size={self.npu_size}", self.npu_size)

    def shapes(self, stride: int) -> list[tuple[int, int]]:
        """The fixed sizes as (height, width), for a network of this stride."""
        require_multiples("onnx.fixed_sizes", shapes(self.fixed_sizes), stride)
        return shapes(self.fixed_sizes)

    def npu_shape(self, stroke_resolution: int | None, stride: int) -> tuple[int, int] | None:
        """The size for the NPU as (height, width), for such a network; None where no file is wanted."""
        if self.npu_size != "auto":
            require_multiples("onnx.npu_size", shapes([self.npu_size]), stride)
            return next(iter(shapes([self.npu_size])), None)
        side = min(max(stroke_resolution or 512, _SIDES[0]), _SIDES[-1])
        return (stride * round(side / stride),) * 2


@dataclass(config=CONFIG)
class CoreMLConfig:
    """The Core ML packages."""

    sizes: Annotated[
        list[int | str] | None,
        Key(
            "One package per size, each N for a square or WIDTHxHEIGHT, and one of all sizes for iOS 18; null is "
            "[256,512,1024], or 3:4 and 4:3 with the stroke resolution as short side for a network that has one; [] "
            "writes none, and the export takes seconds with benchmark.sizes=[]."
        ),
    ] = None
    photos: Annotated[
        str | None,
        Key("Directory of photos to calibrate the fp16 range on, beside the built-in test images.", path="DIR"),
    ] = None

    def __post_init__(self) -> None:
        _check_sizes("coreml.sizes", self.sizes or [])

    def shapes(self, stroke_resolution: int | None, stride: int) -> list[tuple[int, int]]:
        """The sizes as (height, width), for a network of this stroke resolution, None for one without, and stride."""
        return _shapes("coreml.sizes", self.sizes, stroke_resolution, stride)


@dataclass(config=CONFIG)
class LiteRtConfig:
    """The LiteRT file."""

    sizes: Annotated[
        list[int | str] | None,
        Key(
            "One signature of android/model.tflite per size, each N for a square or WIDTHxHEIGHT; the first runs where "
            "an app names none; null is as in coreml.sizes; [] writes no such file."
        ),
    ] = None

    def __post_init__(self) -> None:
        _check_sizes("litert.sizes", self.sizes or [])

    def shapes(self, stroke_resolution: int | None, stride: int) -> list[tuple[int, int]]:
        """The sizes as (height, width), for a network of this stroke resolution, None for one without, and stride."""
        return _shapes("litert.sizes", self.sizes, stroke_resolution, stride)


@dataclass(config=CONFIG)
class ParityConfig:
    """How far exported files may differ from PyTorch in float32, and in which runtimes they are checked.

    With N passes, limits in levels are multiplied by N, and those of PSNRs fall by 20 log10(N) dB; `fp32` stays, and
    results that are computed in 16-bit floats have to reach `coreml_psnr`.
    """

    runtimes: Annotated[
        list[str] | None,
        Key(
            "Runtimes in which the models must run; null takes each that is installed, and reports the others as not "
            f"run. {' and '.join(EMULATORS)} emulate a processor for minutes, so they run only if they are named.",
            choices=RUNTIMES,
        ),
    ] = None
    fp32: Annotated[int, Key("Largest difference of a float32 file, in levels of 255.", 0, 255)] = 1
    fp16: Annotated[int, Key("Largest difference of a float16 file, in levels of 255.", 0, 255)] = 2
    int8_psnr: Annotated[float, Key("Least PSNR of an int8 file, in dB.", 0)] = 40.0
    coreml_psnr: Annotated[float, Key("Least PSNR of a Core ML package, in dB.", 0)] = 50.0
    coreml_int8_psnr: Annotated[float, Key("Least PSNR of an int8 Core ML package, in dB.", 0)] = 40.0
    qnn: Annotated[int, Key("Largest difference of the file for the NPU in QNN, in levels of 255.", 0, 255)] = 2
    litert: Annotated[int, Key("Largest difference of the LiteRT file on the CPU, in levels of 255.", 0, 255)] = 1
    litert_gpu: Annotated[
        int, Key("Largest difference of the LiteRT file in LiteRT's GPU accelerator, in levels of 255.", 0, 255)
    ] = 2
    litert_fp16: Annotated[
        int, Key("Largest difference of the LiteRT file in simulated 16-bit arithmetic, in levels of 255.", 0, 255)
    ] = 3

    def __post_init__(self) -> None:
        require_a_runtime("parity.runtimes", self.runtimes)

    def of_passes(self, passes: int) -> Self:
        """The limits of a network of so many passes: each of them enlarges the differences of the one before."""
        levels = ["fp16", "litert", "litert_gpu"]
        decibels = ["int8_psnr", "coreml_psnr", "coreml_int8_psnr"]
        limits = {name: min(255, passes * getattr(self, name)) for name in levels}
        limits |= {name: max(0, round(getattr(self, name) - 20 * math.log10(passes), 1)) for name in decibels}
        return replace(self, **limits)


@dataclass(config=CONFIG)
class LicensesConfig:
    """Licenses for the manifest and the README of the bundle."""

    network: Annotated[str | None, Key("License of the network's weights; null takes the card's.")] = None
    painting: Annotated[str | None, Key("License of the painting; null takes the card's.")] = None
    photos: Annotated[str | None, Key("License of the training photos; null takes the card's.")] = None


@dataclass(config=CONFIG)
class ExportConfig:
    """Export a checkpoint as a bundle of ONNX, Core ML and LiteRT files for app developers."""

    examples: ClassVar = (
        "impasto-export checkpoint=zoo/starry_night model=tiny output=bundles/starry_night",
        "impasto-export checkpoint=RUN_DIR output=bundles/swirls coreml.sizes=[512,768x1024]",
        "impasto-export checkpoint=RUN_DIR output=bundles/swirls coreml.sizes=[] benchmark.sizes=[]",
        "impasto-export checkpoint=STORE style=starry_night output=bundles/starry_night",
    )

    checkpoint: Annotated[str, Key("Checkpoint of impasto-train, run directory, or zoo/PAINTING.", path="PATH|zoo/*")]
    output: Annotated[str, Key("The bundle's directory; an existing bundle is replaced.", path="DIR")]
    model: Annotated[str | None, Key("Which network of the zoo; null takes mobile.", choices=ZOO_MODELS)] = None
    style: Annotated[
        str | None,
        Key("Style of a store to export as a network of one painting; null exports the whole store, with all styles."),
    ] = None
    style_files: Annotated[
        list[str], Key("Style files to add to a store: of paintings that were trained on its network.", path="FILE")
    ] = field(default_factory=list)
    onnx: OnnxConfig = field(default_factory=OnnxConfig)
    coreml: CoreMLConfig = field(default_factory=CoreMLConfig)
    litert: LiteRtConfig = field(default_factory=LiteRtConfig)
    parity: ParityConfig = field(default_factory=ParityConfig)
    licenses: LicensesConfig = field(default_factory=LicensesConfig)
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    sample: Annotated[
        bool, Key("Also write samples/: a complete app for Android and one for iOS with this style, as source code.")
    ] = False
    tools_dir: Annotated[str | None, TOOLS] = None

    def __post_init__(self) -> None:
        if self.sample and self.onnx.io != "uint8_rgba":
            raise UsageError(
                f"sample=true needs files of RGBA bytes, but onnx.io={self.onnx.io}; leave out one of the two keys"
            )
        if self.model is not None and not self.checkpoint.startswith("zoo/"):
            raise UsageError(
                f"model={self.model} selects a network of the zoo, but checkpoint={self.checkpoint} is a file"
            )
