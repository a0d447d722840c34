"""The painting to learn: read from a picture file, or painted by impasto itself."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.schema import StyleConfig
from impasto.models import pictures
from impasto.train.painting import paint


@dataclass(frozen=True)
class Style:
    """A painting as pixels [1, 3, H, W], RGB, 0..255, and the SHA-256 of its file (or of its pixels, if painted)."""

    pixels: Tensor
    sha256: str


def load(config: StyleConfig) -> Style:
    """The painting at the short side that `config` asks for; raises RequestError."""
    if config.painter is not None:
        rgb = paint(config.painter, config.size, config.seed)
        sha256 = hashlib.sha256(rgb.tobytes()).hexdigest()
    elif config.image is not None:
        path = Path(config.image)
        rgb = pictures.resize(pictures.read(path).rgb, config.size)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        raise RequestError("style.image is missing: name a picture of the painting, as in style=FILE")
    return Style(torch.from_numpy(rgb).permute(2, 0, 1)[None].float(), sha256)
