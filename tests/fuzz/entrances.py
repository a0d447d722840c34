"""The ways by which a picture or a model gets into impasto, each as a function of one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from impasto.configs import app
from impasto.configs.errors import RequestError

Entrance = Callable[[Path], object]


def of_pictures(folder: Path) -> dict[str, Entrance]:
    """What takes a picture; `folder` holds model.onnx and photo.jpg, and may be written to."""
    from impasto.export import stylize
    from impasto.models import headers, pictures
    from impasto.train import doctor, photos, sources, style

    check = app.compose("check", [f"data.root={folder}", "data.size=32"])
    good = folder / "photo.jpg"
    painting = app.compose("train", [f"style={good}", f"data.root={folder}", "style.size=32"]).style
    optimize = app.compose("optimize", [f"content={good}", f"style={good}", "size=32", "style.size=32"])
    output = [f"output={folder / 'out.png'}", "overwrite=true"]
    stylizing = app.compose("stylize", [f"model={folder / 'model.onnx'}", f"input={good}", *output])

    def dataset(path: Path) -> None:
        photo_set = photos.PhotoSet(path.parent, "data.root")
        doctor.examine(photo_set, path.name, check)
        photos.validation_crops(photo_set, 32)

    def changed(config: Any, **values: object) -> Any:
        return type(config)(**(vars(config) | values))

    def stylized(path: Path) -> None:
        if _small(path):
            stylize.task(changed(stylizing, input=str(path)))

    return {
        "pictures.read": lambda path: pictures.read(path),
        "pictures.read, small": lambda path: pictures.read(path, short_side=32),
        "headers.read": headers.read,
        "a folder of photos": dataset,
        "style=": lambda path: style.load(changed(painting, image=str(path))),
        "content=": lambda path: sources.Sources(changed(optimize, content=str(path))),
        "masks=": lambda path: sources.Sources(changed(optimize, masks=[str(path)], blend=None)),
        "init=": lambda path: sources.Sources(changed(optimize, init=str(path))),
        "impasto-stylize": stylized,
    }


def of_zips(folder: Path) -> dict[str, Entrance]:
    """What takes a zip of photos."""
    from impasto.train import crops, doctor, photos

    def dataset(path: Path) -> None:
        check = app.compose("check", [f"data.root={path}", "data.size=32"])
        photo_set = photos.PhotoSet(path, "data.root")
        for name in photo_set.names:
            doctor.examine(photo_set, name, check)
        training = app.compose("train", [f"data.root={path}", "data.size=32", "data.val_size=32"]).data
        train, held_out = photos.split(training)
        photos.validation_crops(held_out, 32)
        crops.Crops(train, training, 0)[0]

    return {"a zip of photos": dataset}


def of_checkpoints(folder: Path) -> dict[str, Entrance]:
    """What takes a .safetensors file."""
    import torch

    from impasto.export.label import Label
    from impasto.models import checkpoint, vgg_weights
    from impasto.train import judged, resume

    def state(path: Path) -> None:
        modules: dict[str, torch.nn.Module] = {"network": torch.nn.Linear(2, 2)}
        resume.load(path, modules, torch.optim.Adam(modules["network"].parameters()))

    return {
        "init=": checkpoint.load,
        "impasto-export": lambda path: Label.of(checkpoint.load(path)[1]),
        "impasto-evaluate": judged.load,
        "resume=": state,
        "loss.weights=": lambda path: vgg_weights.load(str(path)),
    }


def of_onnx_files(folder: Path) -> dict[str, Entrance]:
    """What takes an ONNX file."""
    import numpy as np

    from impasto.models import exported, vgg_weights
    from impasto.models.pictures import Picture
    from impasto.train import judged

    def run(path: Path) -> None:
        exported.stylize(exported.load(path, threads=1), Picture(np.zeros((48, 64, 3), np.uint8)))

    return {
        "impasto-stylize model=": run,
        "impasto-evaluate": judged.load,
        "loss.weights=": lambda path: vgg_weights.load(str(path)),
    }


def _small(path: Path) -> bool:
    """Whether a picture is small enough to be stylized in a moment; unreadable ones are."""
    from impasto.models import headers

    try:
        header = headers.read(path)
    except RequestError:
        return True
    return header.width * header.height <= 1 << 20
