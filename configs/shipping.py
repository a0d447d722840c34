"""The types of the settings of what ships: exporting a network, and running the exported file."""

from dataclasses import dataclass

from omegaconf import MISSING

from impasto.configs.rules import choice, number, path


@dataclass
class OnnxConfig:
    """The Android file: RGBA bytes in and out (`pixels`), or float RGB 0..255 NCHW (`float`)."""

    io: str = choice("pixels", "float")
    tolerance: int = number(0, 255)


@dataclass
class CoreMLConfig:
    """The iOS file: one ML program of a fixed size."""

    height: int = number(32, 4096, step=4)
    width: int = number(32, 4096, step=4)


@dataclass
class ExportConfig:
    """impasto-export: turn a checkpoint into a bundle for app developers."""

    checkpoint: str = path("FILE", "zoo/*")
    output: str = path("DIR")
    onnx: OnnxConfig = MISSING
    coreml: CoreMLConfig = MISSING


@dataclass
class StylizeConfig:
    """impasto-stylize: run an exported ONNX file on a photo or a folder of photos."""

    model: str = path("FILE")
    input: str = path("PATH")
    output: str = path("PATH")
    threads: int = number(0, 1024)
    quality: int = number(1, 100)
