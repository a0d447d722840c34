"""The types of the settings of what ships: exporting a network, and running the exported file."""

import re
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from impasto.configs.rules import choice, number, path, text

ZOO_MODELS = ("mobile", "tiny")  # of each painting in the zoo; the first is meant where none is named
RUNTIMES = ("onnxruntime", "node", "chromium", "arm64", "coreml")

_SIDES = range(32, 4097, 4)  # px of a Core ML package: networks halve a picture twice


@dataclass
class OnnxConfig:
    """The Android file: RGBA bytes in and out (`pixels`), or float RGB 0..255 NCHW (`float`).

    `tile` is the side in px of the tiles of the pair for large pictures, which goes with `pixels`.
    """

    io: str = choice("pixels", "float")
    tile: int = number(32, 4096, 4)


@dataclass
class CoreMLConfig:
    """The iOS files: an ML program for each of `sizes`, N for a square or WIDTHxHEIGHT."""

    sizes: Any = MISSING
    photos: str | None = path("DIR")

    def conflict(self) -> str | None:
        """What is wrong with a size, if anything."""
        rule = f"sides of {_SIDES[0]} to {_SIDES[-1]} px, divisible by {_SIDES.step}, as in [256,768x1024]"
        if not isinstance(self.sizes, list) or not self.sizes:
            return f"coreml.sizes={self.sizes} is no list of sizes; give one or more with {rule}"
        for size in self.sizes:
            if (shape := _shape(size)) is None or not {*shape} <= {*_SIDES}:
                return f"coreml.sizes={size} is impossible; give N or WIDTHxHEIGHT with {rule}"
        if len({*self.shapes()}) < len(self.sizes):
            return f"coreml.sizes={self.sizes} is impossible; name each size once"
        return None

    def shapes(self) -> list[tuple[int, int]]:
        """The sizes as (height, width)."""
        return [shape for size in self.sizes if (shape := _shape(size)) is not None]


@dataclass
class ParityConfig:
    """How far the exported files may be from PyTorch: levels of a byte, or PSNR in dB; and where they are run."""

    runtimes: list[str] = choice(*RUNTIMES)
    fp32: int = number(0, 255)
    fp16: int = number(0, 255)
    int8_psnr: float = number(0)
    coreml_psnr: float = number(0)
    coreml_int8_psnr: float = number(0)


@dataclass
class MeasureConfig:
    """At which sizes, N for a square or WIDTHxHEIGHT, and with how many threads to time the ONNX files; may be none."""

    sizes: Any = MISSING
    threads: list[int] = number(1, 1024)
    repeats: int = number(1, 1000)

    def conflict(self) -> str | None:
        """What is wrong with a size, if anything."""
        rule = "give N or WIDTHxHEIGHT with sides of 16 to 8192 px, as in [512,1920x1080], or [] to measure nothing"
        if not isinstance(self.sizes, list):
            return f"measure.sizes={self.sizes} is no list of sizes; {rule}"
        for size in self.sizes:
            if (shape := _shape(size)) is None or not 16 <= min(shape) <= max(shape) <= 8192:
                return f"measure.sizes={size} is impossible; {rule}"
        if self.sizes and not self.threads:
            return "measure.threads=[] is impossible; name one number of threads, or measure.sizes=[]"
        return None

    def shapes(self) -> list[tuple[int, int]]:
        """The sizes as (height, width)."""
        return [shape for size in self.sizes if (shape := _shape(size)) is not None]


@dataclass
class ExportConfig:
    """impasto-export: turn a checkpoint into a bundle for app developers."""

    checkpoint: str = path("FILE", "zoo/*")
    model: str | None = choice(*ZOO_MODELS)
    output: str = path("DIR")
    onnx: OnnxConfig = MISSING
    coreml: CoreMLConfig = MISSING
    parity: ParityConfig = MISSING
    measure: MeasureConfig = MISSING
    tools: str = path("DIR")

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        if self.model is not None and not self.checkpoint.startswith("zoo/"):
            return f"model={self.model} chooses among the zoo's networks, but checkpoint={self.checkpoint} is a file"
        return None


@dataclass
class TilesConfig:
    """How impasto-stylize works on pictures of more than `above` megapixels, and with how much memory and disk.

    `frames` stands for `above` where they are a video's.
    """

    above: float = number(0)
    side: int = number(64, 4096)
    statistics: str = choice("exact", "thumbnail")
    thumbnail: float = number(0.01)
    scratch: int = number(0)
    frames: float = number(0)


@dataclass
class StylizeConfig:
    """impasto-stylize: run an exported ONNX file on a photo, a folder of photos or a video."""

    model: str = path("FILE", "zoo/*")
    input: str = path("PATH", "camera")
    output: str = path("PATH")
    strength: float = number(0, 1)
    texture: int | None = number(32, 8192)
    keep_colors: bool = text()
    mask: str | None = path("PATH")
    invert_mask: bool = text()
    overwrite: bool = text()
    format: str | None = choice("jpg", "png", "webp", "tif")
    quality: int = number(1, 100)
    stabilize: float = number(0, 0.95)
    crf: int = number(0, 51)
    workers: int = number(0, 256)
    threads: int = number(0, 1024)
    tiles: TilesConfig = MISSING

    def conflict(self) -> str | None:
        """What does not go together, if anything."""
        if self.invert_mask and self.mask is None:
            return "invert_mask=true has no mask to invert; give mask=FILE"
        return None


@dataclass
class BenchConfig:
    """impasto-bench: time and memory of an exported file by resolution, against a second one if asked."""

    model: str = path("FILE", "zoo/*")
    against: str | None = path("FILE", "zoo/*")
    turns: int = number(1, 1000)
    output: str | None = path("FILE")
    measure: MeasureConfig = MISSING

    def conflict(self) -> str | None:
        """What is wrong between values, if anything."""
        return None if self.measure.sizes else "measure.sizes=[] is impossible; name a size, as in [512,1920x1080]"


@dataclass
class VerifyConfig:
    """impasto-verify: check a bundle's files, golden pictures and parity again; needs no torch."""

    bundle: str = path("DIR")
    runtimes: list[str] = choice(*RUNTIMES)
    tools: str = path("DIR")


@dataclass
class PreviewConfig:
    """impasto-preview: show a bundle's page in the browser, to try the network on any photo."""

    bundle: str = path("DIR")
    port: int = number(0, 65535)
    open: bool = text()
    tools: str = path("DIR")


def _shape(size: Any) -> tuple[int, int] | None:
    """(height, width) of one size, None where it is none."""
    sides = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", str(size), re.ASCII)
    return (int(sides[2] or sides[1]), int(sides[1])) if sides else None
