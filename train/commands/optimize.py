"""impasto-optimize: stylize one photo with the per-image optimizer, the baseline that networks are compared with."""

import logging
import math
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from impasto.configs.cli.app import run
from impasto.configs.errors import UsageError
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.optimize import OptimizeConfig
from impasto.configs.terminal import show
from impasto.models.provenance import run_versions
from impasto.train.runtime import openmp

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.models.image.picture import Picture
    from impasto.models.losses.perceptual import PerceptualLoss
    from impasto.models.vgg.constants import Weights
    from impasto.train.image_optimization.inputs import OptimizationInputs
    from impasto.train.image_optimization.optimizer import Callback, Trajectory
    from impasto.train.runtime.device import Hardware

logger = logging.getLogger(__name__)


def main() -> None:
    """Stylize one photo."""
    openmp.limit_spinning()
    run("optimize", task, extra="train")


def task(config: OptimizeConfig) -> None:
    """Optimize, and print where the picture and its trace are."""
    from impasto.models.image import decode

    decode.quiet_pillow()
    output = check_output(config)
    trace = optimize(config, output).trace
    show(f"{output} after {trace.iterations} iterations ({trace.stop_reason}); losses in {_trace_path(output)}")


def optimize(config: OptimizeConfig, output: Path | None) -> "Optimization":
    """Validate the inputs, optimize at each scale, and write the picture and its trace.

    Args:
        config: The settings.
        output: What `check_output` returned; None writes no file.

    Raises:
        UsageError: An input cannot be read, or the output cannot be written.
        CheckFailed: The loss of the initial image is not finite.
        KeyboardInterrupt: Ctrl-C stopped the work; the picture so far was written.
    """
    from impasto.configs import atomic_file
    from impasto.models.image import encode
    from impasto.models.losses import style_strength
    from impasto.models.vgg import weights as vgg_weights
    from impasto.train.image_optimization.inputs import OptimizationInputs
    from impasto.train.image_optimization.optimizer import Iterate
    from impasto.train.runtime import device
    from impasto.train.runtime.progress import Display
    from impasto.train.runtime.signals import Interrupt

    hardware = device.choose(config.device, config.precision)
    inputs = OptimizationInputs(config)
    weights = vgg_weights.load(config.loss.weights, config.loss.network)
    if config.size <= config.tile:
        device.keep_memory()  # with tiles it fragments the heap: the peak is 7.0 instead of 4.5 GiB
    if config.loss.style_strength is not None:
        config = replace(config, loss=_calibrate(config, inputs, weights, hardware))
    stages = _Stages(config)
    with Interrupt() as interrupt, Display(f"{Path(config.content).stem} as {config.style.name}") as display:

        def callback(iterate: Iterate) -> bool:
            number = stages.iterations + iterate.iteration
            fraction = stages.fraction(iterate.iteration)
            display.optimized(fraction, number, iterate.seconds / iterate.iteration, iterate.losses)
            if output is not None and config.save_every is not None and number % config.save_every == 0:
                frame = output.with_suffix(".frames") / f"{number:06}{output.suffix}"
                encode.write(inputs.picture(iterate.pixels), frame, config.quality)
            return interrupt.stop_requested

        if config.loss.style_strength is not None:
            logger.info("%s", style_strength.sentence(config.loss))
        for size in config.sizes():
            stages.add(size, _optimize_scale(config, inputs, weights, hardware, size, stages.pixels, callback))
            if interrupt.stop_requested:
                break
    assert stages.pixels is not None
    picture = inputs.picture(stages.pixels)
    trace = stages.trace(inputs.style_sha256, str(hardware.dtype).removeprefix("torch."))
    if output is not None:
        encode.write(picture, output, config.quality)
        atomic_file.write_json(_trace_path(output), asdict(trace))
    if interrupt.stop_requested:
        where = "was not written, since no output is set" if output is None else f"is in {output}"
        raise KeyboardInterrupt(f"stopped after {stages.iterations} iterations; the picture so far {where}")
    return Optimization(picture, trace)


@dataclass(frozen=True)
class Optimization:
    """The optimized picture, and how it came about."""

    picture: "Picture"
    trace: "Trace"


@dataclass(frozen=True)
class Trace:
    """What is written beside the picture: the settings, and the losses of every iteration of each scale."""

    format: Literal["impasto-trace-1"]
    config: dict[str, Any]
    styles_sha256: list[str]
    precision: str
    versions: dict[str, str]
    seconds: float
    scales: list[dict[str, Any]]

    @property
    def iterations(self) -> int:
        """The iterations of all scales."""
        return sum(len(scale["losses"]) for scale in self.scales)

    @property
    def stop_reason(self) -> str:
        """Why the last scale ended."""
        return str(self.scales[-1]["stop_reason"])


@dataclass
class _Stages:
    """The finished scales: the short side and the trajectory of each."""

    config: OptimizeConfig
    finished: list[tuple[int, "Trajectory"]] = field(default_factory=list)
    iterations: int = 0
    pixels: "Tensor | None" = None

    def add(self, size: int, trajectory: "Trajectory") -> None:
        self.finished.append((size, trajectory))
        self.iterations += len(trajectory.rows)
        self.pixels = trajectory.pixels

    def fraction(self, iteration: int) -> float:
        """Return the finished fraction of the work, 0..1, in pixels times iterations."""
        sizes = self.config.sizes()
        finished = sum(size**2 for size in sizes[: len(self.finished)])
        current = sizes[len(self.finished)] ** 2 * iteration / self.config.iterations
        return (finished + current) / sum(size**2 for size in sizes)

    def trace(self, style_sha256: list[str], precision: str) -> Trace:
        """Return the settings and the losses."""
        return Trace(
            format="impasto-trace-1",
            config=asdict(self.config),
            styles_sha256=style_sha256,
            precision=precision,
            versions=run_versions(),
            seconds=round(sum(trajectory.seconds for _, trajectory in self.finished), 3),
            scales=[
                {
                    "size": size,
                    "width": trajectory.pixels.shape[3],
                    "height": trajectory.pixels.shape[2],
                    "seconds": round(trajectory.seconds, 3),
                    "stop_reason": trajectory.stop_reason,
                    "best": trajectory.best,
                    # JSON has no infinity: null for an evaluation that overflowed.
                    "losses": [
                        {name: value if math.isfinite(value) else None for name, value in row.items()}
                        for row in trajectory.rows
                    ],
                }
                for size, trajectory in self.finished
            ],
        )


def _optimize_scale(
    config: OptimizeConfig,
    inputs: "OptimizationInputs",
    weights: "Weights",
    hardware: "Hardware",
    size: int,
    coarser: "Tensor | None",
    callback: "Callback",
) -> "Trajectory":
    """Optimize at one size, from the coarser result if there is one."""
    from impasto.models.losses.tiled import TiledLoss
    from impasto.train.image_optimization import optimizer

    loss = TiledLoss(_loss(config, inputs, weights, hardware, size).to_precision(hardware.dtype), config.tile)
    target = loss.content_target(inputs.content(size).to(hardware.device))
    initial = (inputs.initial(size) if coarser is None else inputs.upsample(coarser, size)).to(hardware.device)
    return optimizer.optimize(loss, target, initial, config.optimizer, config.iterations, callback)


def _loss(
    config: OptimizeConfig, inputs: "OptimizationInputs", weights: "Weights", hardware: "Hardware", size: int
) -> "PerceptualLoss":
    import torch

    from impasto.models.losses.perceptual import PerceptualLoss

    loss = PerceptualLoss(config.loss, weights, inputs.style_images(size), config.blend, inputs.style_masks(size))
    return loss.to(hardware.device).to(memory_format=torch.channels_last)


def _calibrate(
    config: OptimizeConfig, inputs: "OptimizationInputs", weights: "Weights", hardware: "Hardware"
) -> LossConfig:
    """Return the loss with the style_weight calibrated from style_strength at the final size.

    All scales use this one number, so that a user can write it down and pass it as loss.style_weight.
    """
    from impasto.models.losses import style_strength

    photo = inputs.content(config.size).to(hardware.device)
    loss = _loss(config, inputs, weights, hardware, config.size)
    return replace(config.loss, style_weight=style_strength.style_weight(loss, [photo], config.tile))


def _trace_path(output: Path) -> Path:
    return output.with_suffix(".trace.json")


def check_output(config: OptimizeConfig) -> Path:
    """Return the path of the result; UsageError if it cannot be written or would overwrite an input."""
    from impasto.models.image.encode import check_writable

    if config.output is None:
        photo = Path(config.content).stem.encode(errors="surrogateescape")[:120].decode(errors="ignore")
        name = f"{photo}-{config.style.name}"
        names = (f"{name}{'' if number == 1 else f'-{number}'}.png" for number in count(1))
        return next(path for path in map(Path, names) if not path.exists())
    output = Path(config.output)
    check_writable(output)
    if output.is_dir():
        raise UsageError(f"output={output} is a folder; name a file in it")
    for source in (config.content, config.init, config.style.image, *config.styles, *config.masks):
        if source is not None and output.exists() and Path(source).exists() and output.samefile(source):
            raise UsageError(f"output={output} would overwrite the input {source}; name another file")
    return output
