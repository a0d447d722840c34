"""The settings of impasto-check."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.data import DataConfig
from impasto.configs.schema.fields import CONFIG, Key

EXOTIC = ("cmyk", "16-bit", "alpha", "palette", "animated")
KINDS = ("unreadable", "flat", "tiny", "duplicate", "gray", *EXOTIC, "huge")  # of odd photos in a dataset


@dataclass(config=CONFIG)
class ExaminationConfig:
    """What counts as odd in a dataset, and what of it is excluded from training."""

    exclude: Annotated[
        list[str],
        Key("Kinds that go on the list for data.exclude; the first of several duplicates stays.", choices=KINDS),
    ] = field(default_factory=lambda: ["unreadable", "flat", "duplicate"])
    tiny: Annotated[
        int | None,
        Key(
            "Photos with a shorter short side, in pixels, are tiny; null takes data.size, or data.val_size for auto.",
            1,
        ),
    ] = None
    flat: Annotated[float, Key("Photos whose standard deviation, in levels of 255, is smaller are flat.", 0, 255)] = 2.0
    gray: Annotated[
        float, Key("Photos whose channels differ by less on average, in levels of 255, are gray.", 0, 255)
    ] = 1.0
    huge: Annotated[float, Key("Photos with more megapixels are huge.", 0.1)] = 50.0


@dataclass(config=CONFIG)
class CheckConfig:
    """Examine every photo of a dataset, and list those that training should exclude."""

    examples: ClassVar = (
        "impasto-check data.root=photos",
        "impasto-check data.root=train2017.zip check.exclude=[unreadable,flat,duplicate,tiny,gray]",
    )

    data: DataConfig
    output: Annotated[str, Key("Directory for check.json and the list of excluded photos.", path="DIR")] = (
        "outputs/check"
    )
    processes: Annotated[int, Key("Processes that read photos; 0 starts one per core.", 0, 1024)] = 0
    check: ExaminationConfig = field(default_factory=ExaminationConfig)
