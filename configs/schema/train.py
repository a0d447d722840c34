"""The settings of impasto-train."""

from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.data import DataConfig
from impasto.configs.schema.fields import CONFIG, Key
from impasto.configs.schema.hardware import DEVICE, PRECISION, SEED
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.model import ModelConfig
from impasto.configs.schema.style import TrainStyleConfig

DEFAULT_MINUTES = 30


@dataclass(config=CONFIG)
class DivergenceConfig:
    """When a run returns to its last good training state, and how it continues."""

    max_loss_ratio: Annotated[
        float | None, Key("Largest loss, as a multiple of the median of the last 10 rows; null is off.", 1)
    ]
    min_std: Annotated[
        float,
        Key("Least standard deviation of stylized images, in levels of 255; photos have 20 to 90; 0 is off.", 0, 255),
    ]
    max_saturated_fraction: Annotated[
        float, Key("Largest fraction of values within 4 levels of 0 or 255; photos have up to 0.4; 1 is off.", 0, 1)
    ]
    lr_factor: Annotated[float, Key("Factor on the learning rate at each rollback.", 1e-6, 1)]
    max_rollbacks: Annotated[int, Key("Rollbacks before the run fails with a diagnosis.", 0, 100)]


@dataclass(config=CONFIG)
class TrainerConfig:
    """How long to train, and how often to log and save."""

    steps: Annotated[int | None, Key("Step budget.", 1)]
    minutes: Annotated[
        float | None,
        Key(f"Time budget; with steps, whichever ends first; {DEFAULT_MINUTES} minutes if both are null.", 0.01),
    ]
    batch_size: Annotated[int, Key("Photos per step, over all processes.", 1, 1024)]
    warmup_steps: Annotated[int, Key("Steps over which the learning rate rises.", 0)]
    ema_decay: Annotated[float, Key("Decay of a moving average of the weights; 0 uses the last weights.", 0, 0.99999)]
    compile: Annotated[
        str,
        Key(
            "Use torch.compile, which takes a minute at the start; auto uses it on a GPU.",
            choices=("auto", "always", "never"),
        ),
    ]
    log_every: Annotated[int, Key("Steps between two rows of metrics.csv.", 1)]
    validate_every: Annotated[int, Key("Steps between two validations.", 1)]
    sample_every: Annotated[int, Key("Steps between two sample sheets.", 1)]
    checkpoint_every: Annotated[int, Key("Steps between two checkpoints.", 1)]
    divergence: DivergenceConfig

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            self.minutes = DEFAULT_MINUTES


@dataclass(config=CONFIG)
class OptimizerConfig:
    """The optimizer of training."""

    name: Annotated[str, Key("Optimizer.", choices=("adam", "soap"))]
    lr: Annotated[float, Key("Learning rate after the warmup; falls linearly to 0 at the end of the budget.", 1e-8, 1)]
    betas: Annotated[list[float], Key("Decay of the running averages of gradient and square.", 0, 0.999999)]
    eps: Annotated[float, Key("Term added to the denominator.", 0, 1)]
    weight_decay: Annotated[float, Key("L2 penalty, of Adam only.", 0, 1)]
    frequency: Annotated[int, Key("Steps between two updates of SOAP's bases.", 1, 1000)] = 10

    def __post_init__(self) -> None:
        if len(self.betas) != 2:
            raise UsageError(f"optimizer.betas={self.betas} is invalid; give two, as in [0.9,0.999]")


@dataclass(config=CONFIG)
class TrainConfig:
    """Train a network on one painting, or a store of styles on several."""

    examples: ClassVar = (
        "impasto-train style=painting.jpg data.root=photos trainer.minutes=4",
        "impasto-train style=painting.jpg data.root=photos loss=johnson model=johnson trainer.steps=40000",
        "impasto-train 'style=[first.jpg,second.jpg]' data.root=photos trainer.minutes=30",
        "impasto-train init=STORE freeze=all_but_norms style=third.jpg data.root=photos trainer.minutes=5",
        "impasto-train -m loss.style_weight=2,5,10 style=painting.jpg data.root=photos",
    )

    model: ModelConfig
    style: TrainStyleConfig
    data: DataConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    trainer: TrainerConfig
    precision: Annotated[str, PRECISION] = "auto"
    device: Annotated[str, DEVICE] = "auto"
    seed: Annotated[int, SEED] = 0
    init: Annotated[
        str | None,
        Key(
            "Checkpoint to start from: a file, run directory, zoo/PAINTING, or auto for the nearest network of the "
            "zoo, or style of its store, if it has this model; null starts from random weights. Of a store of styles, "
            "each painting takes the norms under its name, or else of the nearest style.",
            path="PATH|auto|zoo/*",
        ),
    ] = "auto"
    freeze: Annotated[
        str,
        Key(
            "Which weights training leaves alone: all_but_norms learns the norms of the paintings only, in the network "
            "that init names, or adds them to the store that it names.",
            choices=("none", "all_but_norms"),
        ),
    ] = "none"
    license: Annotated[str, Key("License of the trained network, for the checkpoint's card.")] = "unknown"
    resume: Annotated[str | None, Key("Run directory to resume.", path="DIR")] = None

    def __post_init__(self) -> None:
        if self.freeze != "none" and self.init is None:
            raise UsageError(f"freeze={self.freeze} would keep random weights; name a network or a store with init=")
        if self.style.is_store and self.loss.style_strength is not None:
            raise UsageError(
                f"loss.style_strength={self.loss.style_strength:g} is measured for one painting; give "
                "loss.style_weight for a store of styles"
            )
        if self.style.is_store and self.style.grain:
            raise UsageError(f"style.grain={self.style.grain:g} is of one painting; omit it for a store of styles")
        least = self.loss.least_side()
        sizes = {"data.size": self.data.size, "data.val_size": self.data.val_size, "style.size": self.style.size}
        for key, size in sizes.items():
            if not isinstance(size, int):
                continue
            if size % self.model.stride and key != "style.size":
                raise UsageError(
                    f"{key}={size} is not a multiple of {self.model.stride}, which the network needs; choose another "
                    "size, or model.eighth_blocks=0 model.passes=1"
                )
            if size < least:
                raise UsageError(f"{key}={size} is too small for the loss; give at least {least}, or loss=johnson")
