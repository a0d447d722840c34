"""Run a style on photos and frames: impasto-stylize in Python."""

import json
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.stylize import StylizeConfig, TilesConfig
from impasto.export.inference import masks
from impasto.export.inference.stylizer import Stylizer
from impasto.models.image import decode, encode, exif
from impasto.models.image.picture import Picture
from impasto.settings import PathLike

Photo = PathLike | Image.Image | NDArray[np.uint8]
"""A file, a PIL image of any mode, or a uint8 array [H, W, 3], [H, W, 4] with alpha, or [H, W]."""

_QUALITY = 95  # of impasto-stylize
_SAVED = ("JPEG", "PNG", "WEBP", "TIFF")  # formats that the metadata are saved in


def stylize(
    photo: Photo,
    model: PathLike,
    *,
    style: str | Mapping[str, float] | None = None,
    strength: float = 1.0,
    stroke_resolution: int | Literal["auto", "native"] = "auto",
    grain: float | Literal["auto"] = "auto",
    keep_colors: bool = False,
    mask: Photo | None = None,
    invert_mask: bool = False,
    threads: int = 0,
    tiles: Mapping[str, object] | None = None,
) -> "StylizedImage":
    """Stylize a photo of any size.

    `load` returns a style for many photos, which reads the model once.

    Args:
        photo: A file, a PIL image, or a uint8 array [H, W, 3], [H, W, 4] with alpha, or [H, W]. EXIF orientation and
            color profile are applied.
        model: `zoo/PAINTING`, `zoo/PAINTING/tiny`, an exported .onnx or .ort file, a run directory, or a bundle.
        style: The style of a store by name or style file, or the weights of several, which sum to 1, as in
            `{"starry_night": 0.7, "great_wave": 0.3}`; None for a model of one painting.
        strength: Blend between the photo, 0, and the stylized image, 1.
        stroke_resolution: Stylize at this short side, in pixels, so that strokes cover the same part of an image of
            any size; `auto` takes the model's, `native` the image's own.
        grain: Standard deviation, in levels, of smooth noise added to the photo, for strokes in flat regions; `auto` is
            that of the model, and none where stroke_resolution is `native`.
        keep_colors: Whether to keep the photo's colors and take only the style's luminance.
        mask: A gray picture of the photo's aspect ratio: white is stylized, black is not.
        invert_mask: Whether to stylize where the mask is black.
        threads: Threads of ONNX Runtime; 0 takes all cores.
        tiles: Keys of the section `tiles` of impasto-stylize, as in `{"statistics": "thumbnail"}`.

    Returns:
        A PIL image of the photo's size, in sRGB, with its alpha and metadata, which `save` writes.

    Raises:
        UsageError: The model, photo or mask cannot be used, or a setting is invalid.

    Examples:
        >>> import impasto
        >>> painted = impasto.stylize("photo.jpg", model="zoo/starry_night", strength=0.8)
        >>> painted.size
        (320, 240)
        >>> painted.save("painted.jpg")
    """
    loaded = load(model, style=style, threads=threads, frames=False, tiles=tiles)
    return loaded(
        photo,
        strength=strength,
        stroke_resolution=stroke_resolution,
        grain=grain,
        keep_colors=keep_colors,
        mask=mask,
        invert_mask=invert_mask,
    )


def load(
    model: PathLike,
    *,
    style: str | Mapping[str, float] | None = None,
    threads: int = 0,
    frames: bool = True,
    tiles: Mapping[str, object] | None = None,
) -> "Style":
    """Load a style for many photos or frames.

    Args:
        model: As for `stylize`.
        style: The style of a store, or a blend of several, as for `stylize`; each call may name another.
        threads: Threads of ONNX Runtime; 0 takes all cores.
        frames: Whether most pictures have one size, as the frames of a video. Memory is then reused, and pictures up to
            `tiles.video_threshold_mp` megapixels are computed whole. False takes less memory, in more time: the limit
            is then `tiles.threshold_mp`.
        tiles: As for `stylize`.

    Returns:
        A function of a photo; it may be called from several threads at once.

    Raises:
        UsageError: The model cannot be used, or a setting is invalid.

    Examples:
        >>> import numpy as np
        >>> clip = [np.full((120, 160, 3), level, np.uint8) for level in (100, 110, 120)]
        >>> style = impasto.load("zoo/starry_night/tiny")
        >>> frames = [np.asarray(style(frame, strength=0.7)) for frame in clip]
        >>> frames[0].shape, frames[0].dtype
        ((120, 160, 3), dtype('uint8'))
    """
    if not isinstance(model, str | os.PathLike):
        raise UsageError(f"model is of type {type(model).__name__}; give zoo/PAINTING or the path of a model")
    if not isinstance(frames, bool):
        raise UsageError(f"frames is of type {type(frames).__name__}; give True or False")
    settings = {"model": os.fspath(model), "threads": threads, "tiles": _tiles({} if tiles is None else tiles)}
    settings |= {"style": _style(style)}
    return Style(Stylizer(_validated(settings), threads, frames=frames))


class Style:
    """A loaded style; `load` returns it.

    Attributes:
        model: The argument of `load`.
        stroke_resolution: The short side in px at which the model's strokes are as large as the painting's; None for a
            model that stylizes each image at its own size.
        styles: The names of the styles of a store; empty for a model of one painting.
    """

    def __init__(self, stylizer: Stylizer) -> None:
        self._stylizer = stylizer
        self.model = stylizer.config.model
        self.stroke_resolution = stylizer.model.stroke_resolution
        self.styles = stylizer.model.styles

    def __call__(
        self,
        photo: Photo,
        *,
        style: str | Mapping[str, float] | None = None,
        strength: float = 1.0,
        stroke_resolution: int | Literal["auto", "native"] = "auto",
        grain: float | Literal["auto"] = "auto",
        keep_colors: bool = False,
        mask: Photo | None = None,
        invert_mask: bool = False,
    ) -> "StylizedImage":
        """Stylize a photo or a frame.

        Args:
            photo: As for `stylize`.
            style: Another style of a store, or another blend, than `load` chose.
            strength: As for `stylize`, like the other arguments.
            stroke_resolution: See there.
            grain: See there.
            keep_colors: See there.
            mask: See there.
            invert_mask: See there.

        Returns:
            A PIL image, whatever the photo is; `numpy.asarray` of it is a uint8 array [H, W, 3], or [H, W, 4] if the
            photo has alpha.

        Raises:
            UsageError: The photo or mask cannot be used, or a setting is invalid.
        """
        known = asdict(self._stylizer.config) | ({} if style is None else {"style": _style(style)})
        known |= {"strength": strength, "stroke_resolution": stroke_resolution}
        known |= {"grain": grain, "keep_colors": keep_colors}
        stylizer = self._stylizer.with_config(_validated(known))
        if invert_mask and mask is None:
            raise UsageError("invert_mask=True has no mask to invert; give mask=")
        picture = _picture(photo, "photo")
        fitted: Callable[[], NDArray[np.uint8]] | None = None
        if mask is not None:
            shown = masks.from_picture(_picture(mask, "mask", convert_colors=False), invert_mask)
            fitted = shown.fitted(picture.rgb.shape[:2], _name(mask, "the mask"), _name(photo, "the photo"))
        return StylizedImage.from_picture(stylizer(picture, fitted))

    def __repr__(self) -> str:
        return f"impasto.load({self.model!r})"


class StylizedImage(Image.Image):
    """A PIL image whose `save` writes what impasto-stylize writes.

    Its `info` has the photo's EXIF data that are still true, and an sRGB profile if the photo had a color profile.
    """

    @classmethod
    def from_picture(cls, picture: Picture) -> "StylizedImage":
        """Return the image of a picture."""
        image = Image.fromarray(picture.rgb)
        if picture.alpha is not None:
            image.putalpha(Image.fromarray(picture.alpha))
        if picture.had_profile:
            image.info["icc_profile"] = encode.srgb_profile()
        if picture.exif and (data := exif.for_output(picture.exif, *image.size, picture.had_profile, details=True)):
            image.info["exif"] = data
        stylized = cls()
        vars(stylized).update(vars(image))
        return stylized

    def save(self, fp: PathLike | IO[bytes], format: str | None = None, **params: Any) -> None:  # type: ignore[override]
        """Save the image as Pillow does, with other defaults.

        JPEG and WebP have a quality of 95, JPEG is 4:4:4 and shows transparent parts over white, and EXIF data and
        profile are written.

        Args:
            fp: A path or an open file.
            format: A format of Pillow; by default the suffix decides.
            **params: Options of Pillow's encoder, in place of these defaults.
        """
        kind = (format or _format_of(fp)).upper()
        if kind not in _SAVED:
            super().save(fp, format, **params)
            return
        profile, data = self.info.get("icc_profile"), self.info.get("exif")
        options = encode.save_options(kind, _QUALITY)
        if profile:
            options["icc_profile"] = profile
        if data:
            options["exif"] = exif.for_format(data, *self.size, bool(profile), kind)
        image: Image.Image = self.copy()
        if kind == "JPEG" and image.mode == "RGBA":
            image = image.convert("RGB")
            encode.composite_over_white(image, np.asarray(self.getchannel("A")))
        image.save(fp, format, **(options | params))


def _validated(settings: dict[str, object]) -> StylizeConfig:
    unused = {"input": "", "output": ""}  # keys of the command
    return validate(StylizeConfig, settings | unused)


def _style(style: object) -> str | None:
    """The style of a store as impasto-stylize writes it."""
    if style is None or isinstance(style, str):
        return style
    if not isinstance(style, Mapping):
        raise UsageError(f"style is of type {type(style).__name__}; give a name, or a dict of weights by name")
    weights = {str(name): weight for name, weight in style.items()}
    for name, weight in weights.items():
        if not isinstance(weight, numbers.Real):
            raise UsageError(f"style gives {name} a weight of type {type(weight).__name__}; give a number")
    return json.dumps({name: float(weight) for name, weight in weights.items()}, ensure_ascii=False)


def _tiles(tiles: Mapping[str, object]) -> dict[str, object]:
    if not isinstance(tiles, Mapping):
        raise UsageError(f"tiles is of type {type(tiles).__name__}; give a dict of keys, as in {{'side': 256}}")
    if not tiles.keys() <= TilesConfig.__pydantic_fields__.keys():  # type: ignore[attr-defined]
        from impasto.configs.cli.vocabulary import Vocabulary

        for key in tiles:
            Vocabulary("stylize").find(f"tiles.{key}")  # raises UsageError with the key that is meant
    return dict(tiles)


def _picture(photo: object, key: str, convert_colors: bool = True) -> Picture:
    if isinstance(photo, Image.Image):
        return decode.from_image(photo, _name(photo, f"the {key}"), convert_colors)
    if isinstance(photo, str | os.PathLike):
        return decode.read(Path(photo).expanduser(), convert_colors=convert_colors)
    if not isinstance(photo, np.ndarray):
        kind = type(photo).__name__
        raise UsageError(f"the {key} is of type {kind}; give a path, a PIL image or a uint8 array [H, W, 3]")
    if photo.dtype != np.uint8 or not (photo.ndim == 2 or photo.shape[2:] in ((3,), (4,))) or not photo.size:
        shape = ", ".join(map(str, photo.shape))
        raise UsageError(f"the {key} is an array of {photo.dtype} [{shape}]; give uint8 [H, W, 3], [H, W, 4] or [H, W]")
    if photo.ndim == 2:
        return Picture(np.ascontiguousarray(np.repeat(photo[..., None], 3, axis=2)))
    alpha = np.ascontiguousarray(photo[..., 3]) if photo.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(photo[..., :3]), alpha)


def _name(photo: object, otherwise: str) -> str:
    name = photo if isinstance(photo, str | os.PathLike) else getattr(photo, "filename", "")
    return os.fspath(name) if name and isinstance(name, str | os.PathLike) else otherwise


def _format_of(fp: PathLike | IO[bytes]) -> str:
    name = fp if isinstance(fp, str | os.PathLike) else getattr(fp, "name", "")
    suffix = Path(name).suffix.lower() if isinstance(name, str | os.PathLike) else ""
    return Image.registered_extensions().get(suffix, "")
