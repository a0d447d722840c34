"""impasto-optimize: the classic optimizer on one photo, the reference that networks are judged by."""

import importlib.metadata
import math
import platform
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.schema import LossConfig, OptimizeConfig

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.models.losses import PerceptualLoss
    from impasto.models.vgg_weights import Weights
    from impasto.train.hardware import Hardware
    from impasto.train.optimizer import Callback, Trajectory
    from impasto.train.sources import Sources


def main() -> None:
    """Stylize one photo."""
    run("optimize", optimize)


def optimize(config: OptimizeConfig) -> None:
    """Check everything that can be checked at once, optimise at each scale, and write the picture and its trace.

    Ctrl-C writes what there is and raises KeyboardInterrupt with a sentence that says so.
    """
    from impasto.models import files, pictures, strength, vgg_weights
    from impasto.train import hardware, sources
    from impasto.train.display import Display
    from impasto.train.interrupt import Interrupt
    from impasto.train.optimizer import Iterate

    place = hardware.choose(config.device, config.precision)
    output = _output(config)
    given = sources.Sources(config)
    weights = vgg_weights.load(config.loss.weights, config.loss.network)
    if config.size <= config.tile:
        hardware.keep_memory()  # which takes over half as much again where tiles leave holes in it: 7.0 for 4.5 GiB
    if config.loss.strength is not None:
        config = replace(config, loss=_weighed(config, given, weights, place))
    done = _Done(config)
    with Interrupt() as interrupt, Display(f"{Path(config.content).stem} as {config.style.name}") as display:

        def watch(iterate: Iterate) -> bool:
            number = done.iterations + iterate.iteration
            fraction = done.fraction(iterate.iteration)
            display.optimized(fraction, number, iterate.seconds / iterate.iteration, iterate.losses)
            if config.every is not None and number % config.every == 0:
                frame = output.with_suffix(".frames") / f"{number:06}{output.suffix}"
                pictures.write(given.picture(iterate.pixels), frame, config.quality)
            return interrupt.asked

        if config.loss.strength is not None:
            display.say(strength.sentence(config.loss))
        for size in config.sizes():
            done.add(size, _scale(config, given, weights, place, size, done.pixels, watch))
            if interrupt.asked:
                break
    assert done.pixels is not None
    pictures.write(given.picture(done.pixels), output, config.quality)
    trace = output.with_suffix(".trace.json")
    files.write_json(trace, done.trace(given.sha256, str(place.dtype).removeprefix("torch.")))
    if interrupt.asked:
        raise KeyboardInterrupt(f"stopped after {done.iterations} iterations; what there was by then is in {output}")
    print(f"{output} after {done.iterations} iterations ({done.stages[-1][1].ended}); losses in {trace}")


@dataclass
class _Done:
    """The scales that are behind us: short side and trajectory of each."""

    config: OptimizeConfig
    stages: list[tuple[int, "Trajectory"]] = field(default_factory=list)
    iterations: int = 0
    pixels: "Tensor | None" = None

    def add(self, size: int, trajectory: "Trajectory") -> None:
        self.stages.append((size, trajectory))
        self.iterations += len(trajectory.rows)
        self.pixels = trajectory.pixels

    def fraction(self, iteration: int) -> float:
        """How much of all is done, 0..1, by pixels times iterations."""
        sizes = self.config.sizes()
        behind = sum(size**2 for size in sizes[: len(self.stages)])
        now = sizes[len(self.stages)] ** 2 * iteration / self.config.iterations
        return (behind + now) / sum(size**2 for size in sizes)

    def trace(self, styles: list[str], precision: str) -> dict[str, Any]:
        """The request, and what came of it."""
        return {
            "config": asdict(self.config),
            "styles_sha256": styles,
            "precision": precision,
            "versions": {name: importlib.metadata.version(name) for name in ("impasto", "torch")}
            | {"python": platform.python_version()},
            "seconds": round(sum(trajectory.seconds for _, trajectory in self.stages), 3),
            "scales": [
                {
                    "size": size,
                    "width": trajectory.pixels.shape[3],
                    "height": trajectory.pixels.shape[2],
                    "seconds": round(trajectory.seconds, 3),
                    "ended": trajectory.ended,
                    "best": trajectory.best,
                    # JSON has no infinity: null for an evaluation that overflowed.
                    "losses": [
                        {name: value if math.isfinite(value) else None for name, value in row.items()}
                        for row in trajectory.rows
                    ],
                }
                for size, trajectory in self.stages
            ],
        }


def _scale(
    config: OptimizeConfig,
    given: "Sources",
    weights: "Weights",
    place: "Hardware",
    size: int,
    coarser: "Tensor | None",
    watch: "Callback",
) -> "Trajectory":
    """Optimise at one size, from the coarser result if there is one."""
    from impasto.models.tiles import TiledLoss
    from impasto.train import optimizer

    tiled = TiledLoss(_loss(config, given, weights, place, size).to_precision(place.dtype), config.tile)
    target = tiled.content_target(given.content(size).to(place.device))
    start = given.first(size) if coarser is None else given.next(coarser, size)
    return optimizer.optimize(tiled, target, start.to(place.device), config.optimizer, config.iterations, watch)


def _loss(
    config: OptimizeConfig, given: "Sources", weights: "Weights", place: "Hardware", size: int
) -> "PerceptualLoss":
    import torch

    from impasto.models.losses import PerceptualLoss

    loss = PerceptualLoss(config.loss, weights, given.paintings(size), config.blend, given.regions(size))
    return loss.to(place.device).to(memory_format=torch.channels_last)


def _weighed(config: OptimizeConfig, given: "Sources", weights: "Weights", place: "Hardware") -> LossConfig:
    """The loss with the style_weight that its strength stands for at the final size; the coarser scales take it, too.

    One number can be written down and given again.
    """
    from impasto.models import strength

    photo = given.content(config.size).to(place.device)
    loss = _loss(config, given, weights, place, config.size)
    return replace(config.loss, style_weight=strength.style_weight(loss, [photo], config.tile))


def _output(config: OptimizeConfig) -> Path:
    """Where the result goes, or RequestError if it cannot go there."""
    from impasto.models.pictures import check_writable

    if config.output is None:
        name = f"{Path(config.content).stem}-{config.style.name}"
        names = (f"{name}{'' if number == 1 else f'-{number}'}.png" for number in count(1))
        return next(path for path in map(Path, names) if not path.exists())
    output = Path(config.output)
    check_writable(output)
    if output.is_dir():
        raise RequestError(f"output={output} is a folder; name a picture in it")
    for source in (config.content, config.init, config.style.image, *config.styles, *config.masks):
        if source is not None and output.exists() and Path(source).exists() and output.samefile(source):
            raise RequestError(f"output={output} would overwrite a picture that goes in; name another place")
    return output
