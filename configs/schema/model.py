"""The settings of a transform network."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from impasto.configs.schema.fields import CONFIG, Key

MODELS = ("johnson", "mobile", "tiny")
STRIDE = 4  # px; of a network with two strides of 2
MAX_STRIDE = 8  # px; of a network with blocks at 1/8 of the resolution
BLOCK = 16  # px: the side of the squares whose detail decides what a pass takes from the one before


@dataclass(config=CONFIG)
class ModelConfig:
    """A transform network and its arguments."""

    name: Annotated[str, Key("Architecture.", choices=MODELS)]
    width: Annotated[float, Key("Multiple of the architecture's channels.", 0.05, 8)]
    blocks: Annotated[int, Key("Residual blocks.", 1, 64)]
    eighth_blocks: Annotated[int, Key("Residual blocks at 1/8 of the resolution; only mobile has them.", 0, 16)] = 0
    passes: Annotated[int, Key("Times to stylize, from small to full size; more than 1 give large strokes.", 1, 4)] = 1

    @property
    def stride(self) -> int:
        """What the height and width of photos must be multiples of, in px.

        With several passes, the photo of the first one has at least 8 px at each side: enough to be mirrored by 4.
        """
        stride = MAX_STRIDE if self.eighth_blocks else STRIDE
        return max(2 * stride, BLOCK // 2) << (self.passes - 1) if self.passes > 1 else stride
