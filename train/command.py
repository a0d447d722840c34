"""impasto-train."""

import importlib.metadata
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.schema import TrainConfig

if TYPE_CHECKING:
    from impasto.train.photos import PhotoSet

ORIGINS = {"vgg16": "original", "vgg19": "torchvision's"}


def main() -> None:
    """Train a network on one painting."""
    run("train", train, _swept)


def _swept(sweep: Path) -> None:
    from impasto.train import overview

    overview.show(sweep)


def train(config: TrainConfig) -> None:
    """Check everything that can be checked at once, then train."""
    import torch
    from hydra.core.hydra_config import HydraConfig

    from impasto.models import checkpoint, vgg_weights
    from impasto.models.losses import PerceptualLoss
    from impasto.train import hardware, parallel, photos, resume, style, warm
    from impasto.train.trainer import Trainer

    directory = Path(HydraConfig.get().runtime.output_dir)
    place = hardware.choose(config.device, config.precision)
    with parallel.joined(place.device) as group:
        if group.leads and config.resume is None and (earlier := sorted(directory.glob(f"*{checkpoint.SUFFIX}"))):
            raise RequestError(
                f"hydra.run.dir={directory} holds {earlier[-1].name} of an earlier run; name another folder, or go on "
                f"with resume={directory}"
            )
        group.share(config.trainer.batch)
        photo_sets = photos.split(config.data)
        painting = style.load(config.style)
        weights = vgg_weights.load(config.loss.weights, config.loss.network)
        torch.manual_seed(config.seed)
        hardware.keep_memory()
        loss = PerceptualLoss(config.loss, weights, painting.pixels)
        begun = warm.start(config, loss, photo_sets[1])
        if begun.origin is not None and group.leads:
            print(f"starting from {begun.origin['name']}", file=sys.stderr)
        card = _card(config, painting.sha256, photo_sets[0]) | {"init": begun.origin}
        trainer = Trainer(config, directory, place, begun.network, loss, photo_sets, card, group)
        with resume.full_disk_said(directory):
            if group.leads:
                resume.keep_settings(directory, config, [*HydraConfig.get().overrides.task])
            path = trainer.fit()
    if group.leads:
        print(path)


def _card(config: TrainConfig, style_sha256: str, photos: "PhotoSet") -> dict[str, Any]:
    """What the checkpoints say of the run: names and hashes, never a path of this machine."""
    style, loss, data = asdict(config.style), asdict(config.loss), asdict(config.data)
    del style["image"], loss["weights"]
    for key in ("root", "val_root", "skip", "cache", "cache_gb"):
        del data[key]
    origin = "random" if config.loss.weights == "random" else ORIGINS[config.loss.network]
    return {
        "style": style | {"sha256": style_sha256},
        "loss": loss | {"weights": origin},
        "data": data | {"photos": len(photos.names), "sha256": photos.sha256},
        "versions": {name: importlib.metadata.version(name) for name in ("impasto", "torch")}
        | {"python": platform.python_version()},
    }
