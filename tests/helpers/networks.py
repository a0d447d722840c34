"""Small networks, and the card of a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.schema.model import ModelConfig
from impasto.models import transform_net
from impasto.models.card import Card
from impasto.models.contract import Label

TRAINED = Path(__file__).parents[1] / "assets" / "swirls.safetensors"


SHAPES = (64, 96), (128, 128)  # (height, width) of the fixture `packages`


MODELS = {
    "mobile": ModelConfig("mobile", 0.25, 1),
    "eighth": ModelConfig("mobile", 0.25, 2, 1),
    "johnson": ModelConfig("johnson", 0.25, 1),
    "tiny": ModelConfig("tiny", 1.0, 3),
    "studio": ModelConfig("mobile", 0.25, 1, passes=3),
}


CARD: dict[str, dict[str, Any]] = {
    "style": {
        **{"name": "swirls", "artist": "Ünal", "license": "CC0-1.0"},
        **{"sha256": "5e", "size": 256, "painter": "swirls", "seed": 6},
    },
    "loss": {
        **{"network": "vgg16", "weights": "original", "pooling": "max", "normalization": "chw"},
        **{"content_layer": "relu2_2", "content_weight": 1.0, "style_layers": ["relu1_2"], "style_layer_weights": None},
        **{"style_weight": 5.0, "style_strength": None, "tv_weight": 0.0, "tv_power": 2.0},
        **{"checkerboard_weight": 5000.0, "temporal_weight": 0.0},
    },
    "training": {
        **{"steps": 7, "images": 14, "seconds": 1.5, "minutes": None, "precision": "float32", "seed": 0},
        **{
            "batch_size": 2,
            "optimizer": {"lr": 0.003, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0},
            "warmup_steps": 50,
            "ema_decay": 0.0,
        },
        **{"log_every": 2, "validate_every": 3, "sample_every": 6, "checkpoint_every": 3},
    },
}

LABEL = Label.of(Card.from_json({"model": {"name": "mobile", "width": 0.25, "blocks": 1}} | CARD))

BUNDLE_STROKES = 1080  # px, the stroke resolution of the checkpoint and the bundle of the fixtures
BUNDLE_GRAIN = 1.5  # levels, of both

Build = Callable[[str], transform_net.TransformNet]


def slow(*values: str) -> Any:
    """Parameters of a test that exports one more network, which takes more than 2 s."""
    return pytest.param(*values, marks=pytest.mark.slow)
