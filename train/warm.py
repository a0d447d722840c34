"""Where a new network begins: from nothing, from a checkpoint, or from the network in the zoo that is nearest."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch

from impasto.configs.errors import RequestError
from impasto.configs.schema import ModelConfig, TrainConfig
from impasto.models import checkpoint, networks, zoo
from impasto.models.losses import PerceptualLoss
from impasto.models.networks import Transformer
from impasto.train import resume
from impasto.train.photos import PhotoSet, to_pixels, validation_crops

AUTO = "auto"
COMPARED = 4  # photos at most, to find the nearest network by


@dataclass(frozen=True)
class Start:
    """A network to train, and the name and SHA-256 of the checkpoint that it came from, if it came from one."""

    network: Transformer
    origin: dict[str, str] | None = None


def start(config: TrainConfig, loss: PerceptualLoss, held_out: PhotoSet) -> Start:
    """The network that `config.init` asks for; raises RequestError for one that is another network.

    `auto` takes from the zoo, of the networks that are as `config.model` asks, the one whose pictures of held-out
    photos have the lowest loss; where there is none, and for null, the network is new, from torch's random numbers.
    """
    resumed = config.resume is not None and resume.states(Path(config.resume).expanduser())  # it brings its own weights
    if config.init is None or resumed:
        return Start(networks.build(config.model))
    if config.init == AUTO:
        found = _alike(config.model)
        return _nearest(found, config, loss, held_out) if found else Start(networks.build(config.model))
    path = zoo.resolve(config.init, checkpoint.SUFFIX, _in_zoo(config.model.name))
    network, card = checkpoint.load(path)
    if card["model"] != vars(config.model):
        words = " ".join(f"model.{key}={value}" for key, value in sorted(card["model"].items()) if key != "name")
        raise RequestError(
            f"init={config.init} holds another network; ask for that one with model={card['model']['name']} {words}"
        )
    return Start(network, _origin(config.init if config.init.startswith(zoo.PREFIX) else path.name, path))


def _in_zoo(model: str) -> str | None:
    return model if model in zoo.MODELS else None


def _alike(model: ModelConfig) -> dict[str, Path]:
    """The checkpoints of the zoo, by reference, that hold a network like `model`."""
    if model.name not in zoo.MODELS:
        return {}
    paths = {f"{zoo.PREFIX}{name}": zoo.FOLDER / name / f"{model.name}{checkpoint.SUFFIX}" for name in zoo.names()}
    return {name: path for name, path in paths.items() if checkpoint.load(path)[1]["model"] == vars(model)}


@torch.no_grad()
def _nearest(found: dict[str, Path], config: TrainConfig, loss: PerceptualLoss, held_out: PhotoSet) -> Start:
    crops, *_ = validation_crops(held_out, config.data.size)
    photos = [to_pixels(photo, torch.device("cpu")) for photo in crops[:COMPARED].split(1)]
    targets = [loss.content_target(pixels) for pixels in photos]

    def distance(network: Transformer) -> float:
        pairs = zip(photos, targets, strict=True)
        return sum(loss(network(pixels), target).total.item() for pixels, target in pairs)

    networks_ = {name: checkpoint.load(path)[0] for name, path in found.items()}
    name = min(networks_, key=lambda name: distance(networks_[name]))
    return Start(networks_[name], _origin(name, found[name]))


def _origin(name: str, path: Path) -> dict[str, str]:
    return {"name": name, "sha256": sha256(path.read_bytes()).hexdigest()}
