"""The card of an exported file, as impasto-export copies it from a checkpoint."""

from dataclasses import asdict
from typing import Any

from impasto.configs.cli import app
from impasto.train.data import style_image


def card(*overrides: str) -> dict[str, Any]:
    """Return the style and the loss of a network that was trained with random VGG weights."""
    config = app.compose("train", ["data.root=.", "loss=johnson", "style.size=32", "loss.weights=random", *overrides])
    return {
        "style": asdict(config.style) | {"sha256": style_image.load(config.style).sha256},
        "loss": asdict(config.loss),
    }
