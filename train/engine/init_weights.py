"""The initial weights of a new network: random, of a checkpoint, or of the zoo's nearest network."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from impasto.configs.errors import UsageError
from impasto.configs.schema.model import ModelConfig
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint, transform_net, zoo
from impasto.models.card import OriginCard
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.provenance import sha256
from impasto.models.transform_net import TransformNet
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops
from impasto.train.engine import train_state

AUTO = "auto"
COMPARED = 4  # photos at most that find the nearest network


@dataclass(frozen=True)
class InitialWeights:
    """A network to train, and the checkpoint that its weights are from, if any."""

    network: TransformNet
    origin: OriginCard | None = None


def load(config: TrainConfig, loss: PerceptualLoss, val_photos: PhotoSet, size: int) -> InitialWeights:
    """Build the network of a run with the initial weights that `config.init` names.

    Args:
        config: The settings of the run. `init` is null (random weights), a checkpoint, a reference to the zoo, or
            `auto`: of the zoo's networks with this architecture, the one with the lowest loss on validation photos;
            random weights if there is none.
        loss: The loss that `auto` compares networks by.
        val_photos: The photos that `auto` compares networks on.
        size: The side of their center squares, in pixels.

    Raises:
        UsageError: The checkpoint is missing or damaged, or has another architecture.
    """
    # A state contains weights already.
    resumed = config.resume is not None and train_state.states(Path(config.resume).expanduser())
    if config.init is None or resumed:
        return InitialWeights(transform_net.build(config.model))
    if config.init == AUTO:
        paths = _candidates(config.model)
        return _nearest(paths, loss, val_photos, size) if paths else InitialWeights(transform_net.build(config.model))
    path = zoo.resolve(config.init, checkpoint.SUFFIX, _zoo_model(config.model))
    network, card = checkpoint.load(path)
    model = asdict(card.model)
    if model != vars(config.model):
        words = " ".join(f"model.{key}={value}" for key, value in sorted(model.items()) if key != "name")
        raise UsageError(
            f"init={config.init} has another architecture than this run; use model={card.model.name} {words}"
        )
    return InitialWeights(network, _origin(config.init if config.init.startswith(zoo.PREFIX) else path.name, path))


def _zoo_model(model: ModelConfig) -> str | None:
    """The name of an architecture in the zoo, if it is there."""
    return model.name if model.name in zoo.MODELS and not model.eighth_blocks else None


def _candidates(model: ModelConfig) -> dict[str, Path]:
    """The zoo's checkpoints with the architecture of `model`, by reference."""
    if (kind := _zoo_model(model)) is None:
        return {}
    paths = {f"{zoo.PREFIX}{name}": zoo.FOLDER / name / f"{kind}{checkpoint.SUFFIX}" for name in zoo.names()}
    paths = {name: path for name, path in paths.items() if path.is_file()}
    return {name: path for name, path in paths.items() if asdict(checkpoint.load(path)[1].model) == vars(model)}


@torch.no_grad()
def _nearest(paths: dict[str, Path], loss: PerceptualLoss, val_photos: PhotoSet, size: int) -> InitialWeights:
    crops, *_ = validation_crops(val_photos, size)
    photos = [to_pixels(photo, torch.device("cpu")) for photo in crops[:COMPARED].split(1)]
    targets = [loss.content_target(pixels) for pixels in photos]

    def distance(network: TransformNet) -> float:
        pairs = zip(photos, targets, strict=True)
        return sum(loss(network(pixels), target).total.item() for pixels, target in pairs)

    networks = {name: checkpoint.load(path)[0] for name, path in paths.items()}
    name = min(networks, key=lambda name: distance(networks[name]))
    return InitialWeights(networks[name], _origin(name, paths[name]))


def _origin(name: str, path: Path) -> OriginCard:
    return OriginCard(name, sha256(path), checkpoint.load(path)[1].license)
