"""Photos to stylize, and impasto-stylize called in this process."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.cli.app import compose
from impasto.export.commands import stylize


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Return a picture of noise, which is the same for the same size."""
    return np.random.default_rng(height * width).integers(0, 255, (height, width, channels), np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], **options: Any) -> Path:
    """Save a picture and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def run_stylize(model: Path, source: Path, output: Path, *settings: str) -> None:
    """Call impasto-stylize."""
    lines = f"model={model}", f"input={source}", f"output={output}", "threads=1", *settings
    stylize.task(compose("stylize", lines))
