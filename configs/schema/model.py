"""The settings of a transform network."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.schema.fields import CONFIG, Key

MODELS = ("johnson", "mobile", "tiny")


@dataclass(config=CONFIG)
class ModelConfig:
    """A transform network and its arguments."""

    name: Annotated[str, Key("Architecture.", choices=MODELS)]
    width: Annotated[float, Key("Multiple of the architecture's channels.", 0.05, 8)]
    blocks: Annotated[int, Key("Residual blocks.", 1, 64)]
    eighth_blocks: Annotated[int, Key("Residual blocks at 1/8 of the resolution; only mobile has them.", 0, 16)] = 0
