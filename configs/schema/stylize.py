"""The settings of impasto-stylize."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key
from impasto.configs.schema.style import MAX_GRAIN, style_weights

DEFAULT_STROKE_RESOLUTION = 1024
"""The short side in pixels at which a model without a stroke resolution runs; the page, Kotlin and Swift repeat it."""


@dataclass(config=CONFIG)
class TilesConfig:
    """How images above a number of megapixels are stylized in tiles, in constant memory."""

    threshold_mp: Annotated[float, Key("Megapixels above which an image is stylized in tiles.", 0)] = 0.8
    side: Annotated[int, Key("Side of a tile without its margin, in pixels.", 64, 4096)] = 384
    statistics: Annotated[
        str,
        Key(
            "Instance norm statistics: exact, of the whole image in several passes; thumbnail, approximated from a "
            "small copy and samples.",
            choices=("exact", "thumbnail"),
        ),
    ] = "exact"
    thumbnail_mp: Annotated[
        float, Key("Megapixels of that copy and of the samples; more is closer, fewer is faster.", 0.01)
    ] = 2.0
    scratch_mb: Annotated[
        int, Key("Size of a temporary file per image, in MB, that saves computation; 0 disables it.", 0)
    ] = 2000
    video_threshold_mp: Annotated[
        float, Key("The threshold for frames of a video, which are faster whole; 1080p has 2.07.", 0)
    ] = 2.1


@dataclass(config=CONFIG)
class StylizeConfig:
    """Stylize a photo, a folder of photos or a video with an exported model."""

    examples: ClassVar = (
        "impasto-stylize model=zoo/starry_night input=photo.jpg output=stylized.jpg",
        "impasto-stylize model=STORE style='{starry_night: 0.7, great_wave: 0.3}' input=photo.jpg output=blend.jpg",
        "impasto-stylize model=RUN_DIR input=photos output=stylized strength=0.7 format=webp",
    )

    model: Annotated[
        str,
        Key(
            "Exported .onnx or .ort file, run or bundle directory, zoo/PAINTING, zoo/PAINTING/tiny or "
            "zoo/PAINTING/studio.",
            path="PATH|zoo/*",
        ),
    ]
    input: Annotated[
        str, Key("Photo, folder of photos, pattern of photos, video, or the word camera.", path="PATH|camera")
    ]
    output: Annotated[str, Key("Image or video to write, or a folder.", path="PATH")]
    style: Annotated[
        str | None,
        Key(
            "Style of a store, by name or style file, or a blend of several with weights that sum to 1, as in "
            "'{starry_night: 0.7, great_wave: 0.3}'; null for a model of one painting."
        ),
    ] = None
    strength: Annotated[float, Key("Blend between the photo, 0, and the stylized image, 1.", 0, 1)] = 1.0
    stroke_resolution: Annotated[
        int | str,
        Key(
            "Stylize at this short side, in pixels, so that strokes cover the same part of an image of any size; auto "
            f"takes the model's, or {DEFAULT_STROKE_RESOLUTION} if it has none; native takes the image's own.",
            32,
            8192,
            choices=("auto", "native"),
        ),
    ] = "auto"
    grain: Annotated[
        float | str,
        Key(
            "Smooth noise added to the photo, by its standard deviation in levels; flat regions get strokes. auto is "
            "that of the model, and none with stroke_resolution=native.",
            0,
            MAX_GRAIN,
            choices=("auto",),
        ),
    ] = "auto"
    keep_colors: Annotated[bool, Key("Keep the photo's colors and take only the style's luminance.")] = False
    mask: Annotated[
        str | None,
        Key("Gray image: white is stylized, black is not; or a folder with one per photo, by name.", path="PATH"),
    ] = None
    invert_mask: Annotated[bool, Key("Stylize where the mask is black.")] = False
    refine: Annotated[
        float | None,
        Key("Seconds for which the network is trained further on the one photo, which needs a checkpoint.", 1, 3600),
    ] = None
    painting: Annotated[str | None, Key("The picture that the network was trained on, for refine.", path="FILE")] = None
    overwrite: Annotated[bool, Key("Write results that exist again.")] = False
    format: Annotated[
        str | None,
        Key("Format of a folder's images; null keeps each photo's own.", choices=("jpg", "png", "webp", "tif")),
    ] = None
    quality: Annotated[int, Key("Quality of JPEG and WebP.", 1, 100)] = 95
    temporal_smoothing: Annotated[
        float,
        Key(
            "Video: how much of the previous frame is blended in where both show the same; 0.7 reduces flicker.",
            0,
            0.95,
        ),
    ] = 0.0
    crf: Annotated[int, Key("Video: constant quality of H.264 or VP9; lower is better.", 0, 51)] = 20
    workers: Annotated[int, Key("Photos or frames at a time; 0 is one per core, up to 4.", 0, 256)] = 0
    threads: Annotated[int, Key("Threads of ONNX Runtime; 0 takes all cores.", 0, 1024)] = 0
    tiles: TilesConfig = field(default_factory=TilesConfig)

    def __post_init__(self) -> None:
        if self.invert_mask and self.mask is None:
            raise UsageError("invert_mask=true has no mask to invert; give mask=FILE")
        if (self.refine is None) != (self.painting is None):
            raise UsageError(
                "refine needs the picture that the network was trained on; give both refine and painting=FILE"
            )
        self.style_weights()

    def style_weights(self) -> dict[str, float] | None:
        """The weights of a store's styles by name; None for a model of one painting."""
        return None if self.style is None else style_weights(self.style)

    def resolve_stroke_resolution(self, of_model: int | None) -> int | None:
        """The short side to stylize at, in pixels, given that of the model; None is the image's own."""
        if isinstance(self.stroke_resolution, int):
            return self.stroke_resolution
        return of_model or DEFAULT_STROKE_RESOLUTION if self.stroke_resolution == "auto" else None

    def resolve_grain(self, of_model: float) -> float:
        """The grain in levels, given that of the model."""
        if isinstance(self.grain, float):
            return self.grain
        return 0.0 if self.stroke_resolution == "native" else of_model
