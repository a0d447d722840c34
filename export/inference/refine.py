"""Fitting a network to one photo before it stylizes that photo, by a short training in a child process."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.configs import extras
from impasto.configs.errors import UsageError
from impasto.configs.schema.stylize import StylizeConfig
from impasto.export import child_process
from impasto.models import run_directory, zoo
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture, resize

TRAINING = "impasto.train.commands.refine"
NATIVE = 768  # px: the largest short side of a photo that a network without a stroke resolution is fitted to


def check(config: StylizeConfig, several: bool) -> Path:
    """Return the checkpoint of the model to fit.

    Args:
        config: The settings; `refine` and `painting` are given.
        several: Whether the input is more than one photo, or a video.

    Raises:
        UsageError: Training is not installed, the input is not one photo, or the model has no checkpoint.
    """
    extras.require("train", f"refine={config.refine:g}")
    if several:
        raise UsageError("refine fits the network to one photo; name a photo as input, or remove refine")
    if config.painting is not None and not Path(config.painting).expanduser().is_file():
        raise UsageError(f"painting={config.painting} does not exist; name the picture that the network was trained on")
    model = Path(config.model).expanduser()
    if model.suffix == ".onnx":
        path = model.with_suffix(run_directory.SUFFIX)
    else:
        path = zoo.resolve(config.model, run_directory.SUFFIX)
    if not path.is_file():
        raise UsageError(
            f"model={config.model} has no checkpoint, which refine trains; name a run directory, or zoo/NAME"
        )
    return path


@contextmanager
def refined(config: StylizeConfig, checkpoint: Path, photo: Picture, stroke_resolution: int | None) -> Iterator[str]:
    """Fit a network to a photo for `config.refine` seconds.

    Training minimizes the network's own loss on crops of the photo alone, at the size at which it is stylized. It
    writes its progress to stderr.

    Args:
        config: The settings.
        checkpoint: The network, as `check` returned it.
        photo: The photo.
        stroke_resolution: The short side at which the photo is stylized, in px; None for its own.

    Yields:
        The exported file of the fitted network, which exists until the context ends.

    Raises:
        SystemExit: Training failed, with its exit code; it has printed one sentence.
    """
    side = min(stroke_resolution or NATIVE, *photo.rgb.shape[:2])
    with tempfile.TemporaryDirectory(prefix="impasto-") as name:
        photos, run = Path(name, "photos"), Path(name, "run")
        photos.mkdir()
        write(Picture(resize(photo.rgb, side)), photos / "photo.png", quality=100)
        painting = Path(str(config.painting)).expanduser().absolute()
        arguments = (str(checkpoint.absolute()), str(painting), str(photos), str(run), f"{config.refine:g}")
        command = child_process.python_module(TRAINING, *arguments)
        environment = child_process.environment()
        with subprocess.Popen(command, cwd=name, stdout=subprocess.DEVNULL, env=environment) as process:
            code = process.wait()
        if code:
            sys.exit(code)  # training has printed its sentence
        yield str(run / run_directory.LAST_MODEL)
