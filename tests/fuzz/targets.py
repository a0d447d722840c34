"""All code of impasto that reads files of users, each as a function of one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from impasto.configs.cli import app
from impasto.configs.errors import UsageError

Target = Callable[[Path], object]


def of_pictures(folder: Path) -> dict[str, Target]:
    """Return what reads pictures; `folder` holds model.onnx and photo.jpg, and may be written to."""
    from impasto.export.commands import stylize
    from impasto.models.image import decode, header
    from impasto.train.data import audit, style_image
    from impasto.train.data import dataset as photos
    from impasto.train.image_optimization import inputs

    check = app.compose("check", [f"data.root={folder}", "data.size=32"])
    good = folder / "photo.jpg"
    painting = app.compose("train", [f"style={good}", f"data.root={folder}", "loss=johnson", "style.size=32"]).style
    optimize = app.compose("optimize", [f"content={good}", f"style={good}", "size=32", "style.size=32"])
    output = [f"output={folder / 'out.png'}", "overwrite=true"]
    stylizing = app.compose("stylize", [f"model={folder / 'model.onnx'}", f"input={good}", *output])

    def dataset(path: Path) -> None:
        photo_set = photos.PhotoSet(path.parent, "data.root")
        audit.examine(photo_set, path.name, check)
        photos.validation_crops(photo_set, 32)

    def changed(config: Any, **values: object) -> Any:
        return type(config)(**(vars(config) | values))

    def stylized(path: Path) -> None:
        if _small(path):
            stylize.task(changed(stylizing, input=str(path)))

    return {
        "decode.read": lambda path: decode.read(path),
        "decode.read, small": lambda path: decode.read(path, short_side=32),
        "header.read": header.read,
        "a folder of photos": dataset,
        "style=": lambda path: style_image.load(changed(painting, image=str(path))),
        "content=": lambda path: inputs.OptimizationInputs(changed(optimize, content=str(path))),
        "masks=": lambda path: inputs.OptimizationInputs(changed(optimize, masks=[str(path)], blend=None)),
        "init=": lambda path: inputs.OptimizationInputs(changed(optimize, init=str(path))),
        "impasto-stylize": stylized,
    }


def of_zips(folder: Path) -> dict[str, Target]:
    """Return what reads zips of photos."""
    from impasto.models.card import CropStage
    from impasto.train.data import audit, random_crops
    from impasto.train.data import dataset as photos

    def dataset(path: Path) -> None:
        check = app.compose("check", [f"data.root={path}", "data.size=32"])
        photo_set = photos.PhotoSet(path, "data.root")
        for name in photo_set.names:
            audit.examine(photo_set, name, check)
        training = app.compose("train", [f"data.root={path}", "loss=johnson", "data.size=32", "data.val_size=32"]).data
        train, val_photos = photos.split(training)
        photos.validation_crops(val_photos, 32)
        random_crops.Crops(train, training, 0, [CropStage(32, [1.0, 1.5])])[0]

    return {"a zip of photos": dataset}


def of_checkpoints(folder: Path) -> dict[str, Target]:
    """Return what reads .safetensors files."""
    import torch

    from impasto.models import checkpoint
    from impasto.models.contract import Label
    from impasto.models.vgg import weights
    from impasto.train.engine import train_state
    from impasto.train.evaluation import loaded_model

    def state(path: Path) -> None:
        modules: dict[str, torch.nn.Module] = {"network": torch.nn.Linear(2, 2)}
        train_state.load(path, modules, torch.optim.Adam(modules["network"].parameters()))

    return {
        "init=": checkpoint.load,
        "impasto-export": lambda path: Label.of(checkpoint.load(path)[1]),
        "impasto-evaluate": loaded_model.load,
        "resume=": state,
        "loss.weights=": lambda path: weights.load(str(path)),
    }


def of_onnx_files(folder: Path) -> dict[str, Target]:
    """Return what reads ONNX files."""
    import numpy as np

    from impasto.models import onnx_model
    from impasto.models.image.picture import Picture
    from impasto.models.vgg import weights
    from impasto.train.evaluation import loaded_model

    def run(path: Path) -> None:
        onnx_model.stylize(onnx_model.load(path, threads=1), Picture(np.zeros((48, 64, 3), np.uint8)))

    return {
        "impasto-stylize model=": run,
        "impasto-evaluate": loaded_model.load,
        "loss.weights=": lambda path: weights.load(str(path)),
    }


def _small(path: Path) -> bool:
    """Whether a picture has at most a megapixel, or cannot be read."""
    from impasto.models.image import header

    try:
        size = header.read(path)
    except UsageError:
        return True
    return size.width * size.height <= 1 << 20
