"""Train networks, run the per-image optimizer, and compare the two: impasto-train, -optimize and -evaluate in Python.

PyTorch is imported by the functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.errors import UsageError
from impasto.configs.extras import require
from impasto.models import run_directory
from impasto.models.progress import show_progress
from impasto.settings import Overrides, PathLike, compose
from impasto.stylization import StylizedImage

if TYPE_CHECKING:
    from impasto.train.commands.optimize import Trace
    from impasto.train.evaluation.evaluation_report import EvaluationReport


@dataclass(frozen=True)
class TrainingRun:
    """A finished run.

    Attributes:
        folder: The run directory, with the files below, TensorBoard events and `curves.png`.
        checkpoint: The last checkpoint, for `export` and `evaluate`.
        model: The exported file of that checkpoint, for `stylize` and `load`.
        metrics: The rows of metrics.csv, each with `step`: losses of training (`total`, `content`, `style` ...) every
            `trainer.log_every` steps, and of the validation photos (`val_total` ...) every `trainer.validate_every`.
        samples: Sheets of photos and their stylized pictures, the newest last.
    """

    folder: Path
    checkpoint: Path
    model: Path
    metrics: list[dict[str, float]] = field(repr=False)
    samples: list[Path] = field(repr=False)


@dataclass(frozen=True)
class OptimizedPicture:
    """A picture of the per-image optimizer.

    Attributes:
        image: The picture.
        trace: The settings, and the losses of every iteration of each scale.
    """

    image: StylizedImage
    trace: "Trace" = field(repr=False)


def train(
    style: PathLike | Sequence[PathLike] | None = None,
    data: PathLike | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    model: str | None = None,
    experiment: str | None = None,
    init: PathLike | None = None,
    seed: int | None = None,
    folder: PathLike | None = None,
    resume: PathLike | None = None,
    overrides: Overrides | None = None,
    progress: bool = True,
) -> TrainingRun:
    """Train a network on one painting, or a store of styles on several. None stands for the default of impasto-train.

    Ctrl-C, or the interrupt of a notebook, saves the run after the current step and raises KeyboardInterrupt, whose
    message names the run directory for `resume`. In a thread other than the main one, no signal is handled.

    Args:
        style: The painting's image file, or the name of a preset; a list of files, or a folder, for a store of styles.
        data: A folder or zip file of photos.
        minutes: Time budget, `trainer.minutes`.
        steps: Step budget, `trainer.steps`; with `minutes`, whichever ends first.
        model: Preset of the network: `mobile`, `tiny`, `studio`, `johnson` or `deep`.
        experiment: Preset of a whole recipe, such as `johnson2016`.
        init: Checkpoint to start from: a file, a run directory, `zoo/PAINTING`, or `auto`, the nearest of the zoo.
            `overrides={"init": None}` starts from random weights.
        seed: Seed of the weights, and of the order of the photos.
        folder: The run directory; by default a new one in `outputs`.
        resume: A run directory to resume. Its settings are taken over.
        overrides: Further keys of impasto-train, as in `{"loss.style_strength": 2}`.
        progress: Whether to show progress and messages on stderr. Otherwise messages go to Python's logging.

    Returns:
        The run: its folder, last checkpoint, metrics and sample sheets.

    Raises:
        UsageError: A setting or an input is invalid, or PyTorch is not installed.
        CheckFailed: Training diverged too often.

    Examples:
        >>> tiny = {"data.size": 32, "data.val_size": 32, "style.size": 64, "loss": "johnson", "loss.weights": "random"}
        >>> run = impasto.train("painting.jpg", "photos", steps=2, model="tiny", overrides=tiny, progress=False)
        >>> run.metrics[-1]["step"]
        2
        >>> impasto.stylize("photo.jpg", model=run.model).size
        (320, 240)
    """
    require("train", "impasto.train")
    if data is None and resume is None:
        raise UsageError("data is missing; name a folder of photos, as in data='photos'")
    keys = {"style": style, "data.root": data, "trainer.minutes": minutes, "trainer.steps": steps, "model": model}
    keys |= {"experiment": experiment, "init": init, "seed": seed, "hydra.run.dir": folder, "resume": resume}
    config, run = compose("train", keys, overrides)
    from impasto.train.commands import train as command

    with show_progress(progress):
        return _finished(command.train(config, run))


def _finished(checkpoint: Path) -> TrainingRun:
    from impasto.train.engine import run_logger

    folder = checkpoint.parent
    samples = sorted((folder / "samples").glob("step_*.png"))
    return TrainingRun(folder, checkpoint, folder / run_directory.LAST_MODEL, run_logger.rows(folder), samples)


def optimize(
    content: PathLike,
    style: PathLike | None = None,
    *,
    size: int | None = None,
    iterations: int | None = None,
    loss: str | None = None,
    init: PathLike | None = None,
    keep_colors: bool | None = None,
    seed: int | None = None,
    output: PathLike | None = None,
    overrides: Overrides | None = None,
    progress: bool = True,
) -> OptimizedPicture:
    """Stylize one photo by optimizing its pixels (Gatys et al. 2016). None stands for the default of impasto-optimize.

    Args:
        content: The photo's file.
        style: The painting's image file, or the name of a preset.
        size: Short side of the result, in pixels.
        iterations: Loss evaluations per scale.
        loss: Preset of the loss, such as `gatys2016`.
        init: What to start from: `content`, `noise`, `style`, or an image file.
        keep_colors: Whether to keep the photo's colors and take only the result's luminance.
        seed: Seed of the noise.
        output: Also write the picture to this file, and its trace beside it; by default no file is written.
        overrides: Further keys of impasto-optimize, as in `{"style.size": 512}`.
        progress: Whether to show progress and messages on stderr. Otherwise messages go to Python's logging.

    Returns:
        The picture and its losses.

    Raises:
        UsageError: A setting or an input is invalid, or PyTorch is not installed.
        CheckFailed: The loss of the initial image is not finite.
        KeyboardInterrupt: It was interrupted; the picture so far is in `output`.

    Examples:
        >>> settings = {"style.size": 64, "loss.weights": "random"}
        >>> painted = impasto.optimize("photo.jpg", "painting.jpg", size=48, iterations=3, overrides=settings)
        >>> painted.image.size, painted.trace.iterations
        ((64, 48), 3)
    """
    require("train", "impasto.optimize")
    keys = {"content": content, "style": style, "size": size, "iterations": iterations, "loss": loss, "init": init}
    keys |= {"keep_colors": keep_colors, "seed": seed, "output": output}
    config, _ = compose("optimize", keys, overrides)
    from impasto.train.commands import optimize as command

    with show_progress(progress):
        result = command.optimize(config, None if config.output is None else command.check_output(config))
    return OptimizedPicture(StylizedImage.from_picture(result.picture), result.trace)


def evaluate(
    checkpoint: PathLike,
    photos: PathLike,
    style: PathLike | None = None,
    *,
    output: PathLike | None = None,
    seed: int | None = None,
    overrides: Overrides | None = None,
    progress: bool = True,
) -> "EvaluationReport":
    """Compare a network with the per-image optimizer. None stands for the default of impasto-evaluate.

    Args:
        checkpoint: A checkpoint, an exported .onnx file, a run or bundle directory, or `zoo/PAINTING`.
        photos: A folder or zip file of photos that were not trained on.
        style: The painting's image file; not needed for a style that impasto generates.
        output: Folder for evaluation.json, curves and sheets; `outputs/evaluation` by default.
        seed: Seed of the optimizer's noise.
        overrides: Further keys of impasto-evaluate, as in `{"evaluate.max_ratio": 3}`.
        progress: Whether to show progress and messages on stderr. Otherwise messages go to Python's logging.

    Returns:
        The content of evaluation.json: `medians` over the photos by size, such as `equivalent_iterations`, and the
        figures of each photo.

    Raises:
        UsageError: A setting or an input is invalid, or PyTorch is not installed.
        CheckFailed: A limit such as `evaluate.max_ratio` is exceeded; its `report` is what is returned otherwise.

    Examples:
        >>> small = {"evaluate.sizes": [32], "evaluate.iterations": 3, "evaluate.count": 1, "evaluate.display": None}
        >>> settings = {"weights": "random", "cache": "trajectories"} | small
        >>> report = impasto.evaluate(run.checkpoint, "photos", "painting.jpg", overrides=settings, progress=False)
        >>> report.medians[0].start, report.medians[0].ratio > 0
        ('noise', True)
    """
    require("train", "impasto.evaluate")
    keys = {"checkpoint": checkpoint, "photos": photos, "style": style, "output": output, "seed": seed}
    config, _ = compose("evaluate", keys, overrides)
    from impasto.train.commands import evaluate as command
    from impasto.train.evaluation import quality_gate

    with show_progress(progress):
        report = command.evaluate(config)
    quality_gate.require(report.gates, report)
    return report
