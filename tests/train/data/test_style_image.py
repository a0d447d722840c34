from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.train.data import procedural_style, style_image


@pytest.mark.slow
def test_style_image_painters_of_schema_generate_pictures(tmp_path: Path) -> None:
    for name in procedural_style.PAINTERS:
        config = app.compose("train", [f"style={name}", "loss=johnson", "style.size=64", f"data.root={tmp_path}"])
        style = style_image.load(config.style)
        assert style.pixels.shape == (1, 3, 64, 64)
    shown = app.compose("train", ["data.root=."]).style
    assert shown.painter in procedural_style.PAINTERS


def test_style_image_file_is_resized_by_short_side(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 100, 3), 9, np.uint8)).save(tmp_path / "My Painting (1).png")
    config = app.compose(
        "train", [f"style={tmp_path / 'My Painting (1).png'}", "style.size=32", "loss=johnson", "data.root=."]
    )
    assert config.style.name == "my-painting-1"
    assert style_image.load(config.style).pixels.shape == (1, 3, 32, 64)
