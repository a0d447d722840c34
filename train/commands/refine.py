"""A short training of a network on one photo, which impasto-stylize refine= runs in a child process.

Run: python -m impasto.train.commands.refine CHECKPOINT PAINTING FOLDER RUN_DIR SECONDS; FOLDER contains the photo.
"""

import logging
import sys
from dataclasses import asdict
from pathlib import Path

from impasto.configs.errors import UsageError, ending
from impasto.models.image import header
from impasto.models.image.discover import find_pictures
from impasto.train.commands import train
from impasto.train.engine import recipe

CROP = 256  # px
LR = 0.002
WARMUP = 5  # steps
NEVER = 10**9  # steps


def main() -> None:
    """Train, and leave the checkpoint and the exported file in RUN_DIR."""
    checkpoint, painting, folder, directory, seconds = sys.argv[1:]
    try:
        sys.argv[1:] = settings(Path(checkpoint), painting, Path(folder), directory, float(seconds))
    except UsageError as error:
        code, sentence = ending(error)
        sys.stderr.write(f"impasto-stylize: {sentence}\n")
        sys.exit(code)
    logging.getLogger(recipe.__name__).setLevel(logging.ERROR)  # few crops of one photo do
    train.main()


def settings(checkpoint: Path, painting: str, folder: Path, directory: str, seconds: float) -> list[str]:
    """Return the settings of impasto-train: the network's own loss, on crops of the photo at its own size.

    Raises:
        UsageError: The checkpoint cannot be loaded, or was trained on another painting.
    """
    from impasto.models import checkpoint as checkpoint_file
    from impasto.train.evaluation import loaded_model

    if checkpoint_file.load_any(checkpoint)[1].store is not None:
        raise UsageError("refine trains a network of one painting, and this is a store; name another model")
    model = loaded_model.load(checkpoint)
    model.style_image(painting, key="painting")
    (photo,) = find_pictures(folder)
    size = header.read(photo)
    ratio = max(1.0, min(size.width, size.height) / CROP)
    loss = {name: value for name, value in asdict(model.loss).items() if name not in ("weights", "style_strength")}
    assert model.card is not None
    architecture = asdict(model.card.model)
    keys = {"model": architecture.pop("name")} | {f"model.{name}": value for name, value in architecture.items()}
    keys |= {f"loss.{name}": value for name, value in loss.items() if value is not None}
    if model.loss.weights == "random":  # of tests
        keys["loss.weights"] = "random"
    keys |= {"style.size": model.style.size, "data.size": CROP, "data.scale_range": [ratio, ratio]}
    keys |= {"optimizer.lr": LR, "trainer.warmup_steps": WARMUP, "trainer.minutes": seconds / 60}
    keys |= {"data.val_photos": 1, "data.cache": "null", "data.workers": 0}
    keys |= {f"trainer.{name}_every": NEVER for name in ("validate", "sample", "checkpoint")}
    paths = {"init": checkpoint, "style": painting, "data.root": folder, "hydra.run.dir": directory}
    return [
        *(f"{key}={str(value).replace(' ', '')}" for key, value in keys.items()),
        *(f"{key}={path}" for key, path in paths.items()),
    ]


if __name__ == "__main__":
    main()
