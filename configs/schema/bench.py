"""The settings of impasto-bench."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown
from impasto.configs.schema.sizes import parse_size, shapes

_SIZES: tuple[int | str, ...] = 256, 512, 1024, "1920x1080"


@dataclass(config=CONFIG)
class BenchmarkConfig:
    """At which sizes, and with how many threads, to measure the files."""

    sizes: Annotated[
        list[int | str] | None,
        Key(
            "Sizes to measure, each N for a square or WIDTHxHEIGHT, in pixels; null is [256,512,1024,1920x1080], or "
            "those of the .tflite file that impasto-bench measures; [] measures nothing."
        ),
    ] = None
    threads: Annotated[list[int], Key("Numbers of threads to measure with.", 1, 1024)] = field(
        default_factory=lambda: [1, 2]
    )
    repeats: Annotated[int, Key("Timed runs per measurement.", 1, 1000)] = 5

    def __post_init__(self) -> None:
        rule = "give N or WIDTHxHEIGHT with sides of 16 to 8192 px, as in [512,1920x1080], or [] to measure nothing"
        for size in self.sizes or ():
            if (shape := parse_size(size)) is None or not 16 <= min(shape) <= max(shape) <= 8192:
                raise UsageError(f"benchmark.sizes={shown(self.sizes)}: {size} is not a valid size; {rule}")
        if self.sizes != [] and not self.threads:
            raise UsageError("benchmark.threads=[] is empty; name one number of threads, or give benchmark.sizes=[]")

    def shapes(self) -> list[tuple[int, int]]:
        """The sizes as (height, width)."""
        return shapes(_SIZES if self.sizes is None else self.sizes)


@dataclass(config=CONFIG)
class ComparisonConfig(BenchmarkConfig):
    """The same, in interleaved rounds."""

    rounds: Annotated[int, Key("Rounds; each starts a new process per model, size and number of threads.", 1, 1000)] = 3


@dataclass(config=CONFIG)
class BenchConfig:
    """Measure latency and memory of an exported model by resolution, against a baseline if one is given."""

    examples: ClassVar = (
        "impasto-bench model=zoo/starry_night",
        "impasto-bench model=zoo/starry_night/tiny baseline=zoo/starry_night benchmark.sizes=[512] output=bench.json",
        "impasto-bench model=BUNDLE/android/model.tflite baseline=BUNDLE",
    )

    model: Annotated[
        str,
        Key(
            "Exported .onnx, .ort or .tflite file, run or bundle directory, zoo/PAINTING, zoo/PAINTING/tiny or "
            "zoo/PAINTING/studio.",
            path="PATH|zoo/*",
        ),
    ]
    baseline: Annotated[
        str | None, Key("Second model to compare with; rounds alternate between the two.", path="PATH|zoo/*")
    ] = None
    output: Annotated[str | None, Key("JSON file to write the results to.", path="FILE")] = None
    benchmark: ComparisonConfig = field(default_factory=ComparisonConfig)

    def __post_init__(self) -> None:
        if self.benchmark.sizes == []:
            raise UsageError("benchmark.sizes=[] is empty; name a size, as in [512,1920x1080]")
