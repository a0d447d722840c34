"""A short line of impasto-optimize, and reading its results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.models.image.decode import read

FAST = (
    "loss.weights=random",
    "loss.style_layers=[relu1_2,relu2_2]",
    "size=32",
    "style.size=32",
    "iterations=4",
    "device=cpu",
)


def pixels(path: str) -> NDArray[np.uint8]:
    return read(Path(path)).rgb


def trace(path: str) -> dict[str, Any]:
    content = json.loads(Path(path).read_text())
    assert isinstance(content, dict)
    return content


def files() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*"))
