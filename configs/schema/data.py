"""The settings of a dataset of photos."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown

AUTO = "auto"


@dataclass(config=CONFIG)
class DataConfig:
    """The photos to train on."""

    root: Annotated[str, Key("Directory tree of photos, or a zip of one.", path="DIR")]
    val_root: Annotated[
        str | None, Key("Photos to validate on; null holds out data.val_photos photos of data.root.", path="DIR")
    ]
    exclude: Annotated[
        str | None, Key("List of photos of data.root to exclude, as impasto-check writes it.", path="FILE")
    ]
    val_photos: Annotated[int, Key("Number of validation photos.", 1, 10_000)]
    val_size: Annotated[int, Key("Side of the center crop for validation, in pixels.", 32, 2048, step=4)]
    size: Annotated[
        int | str,
        Key(
            "Side of the random training crops, in pixels; auto grows it during the run, from 128 to 256 and 384, as "
            "far as the loss needs and the photos allow.",
            *(32, 2048),
            step=4,
            choices=(AUTO,),
        ),
    ]
    scale_range: Annotated[
        list[float] | None,
        Key(
            "A photo's short side is resized to the crop's side times a random factor of this range; null resizes it "
            "to 2/3 to 1 times style.size, the painting's own scale.",
            *(1, 16),
        ),
    ]
    flip: Annotated[bool, Key("Mirror half of the crops.")]
    workers: Annotated[int, Key("Processes that decode photos.", 0, 256)]
    cache: Annotated[
        str | None,
        Key("Directory of decoded photos, shared by epochs and runs; null disables the cache.", path="DIR"),
    ]
    cache_gb: Annotated[float, Key("Size limit of the cache, in GB; the least recently used files go first.", 0.01)]

    source: Annotated[str, Key("Where the photos are from, for the checkpoint's card: a data set, a URL.")] = "unknown"
    license: Annotated[str, Key("License of the photos, for the checkpoint's card.")] = "unknown"

    def __post_init__(self) -> None:
        limits = self.scale_range
        if limits is not None and (len(limits) != 2 or limits[0] > limits[1]):
            raise UsageError(
                f"data.scale_range={shown(limits)} is invalid; give the least and the largest factor, as in [1.0,1.5]"
            )
