"""The initial weights of a new network: random, of a checkpoint, or of the nearest in the zoo."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.model import ModelConfig
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint, transform_net, zoo
from impasto.models.card import Card, OriginCard, StoreCard
from impasto.models.provenance import sha256
from impasto.models.store import Store, networks_of
from impasto.models.transform_net import TransformNet
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops
from impasto.train.engine import train_state
from impasto.train.engine.paintings import Painting

AUTO = "auto"
MOBILE = "mobile"
COMPARED = 4  # photos at most that find the nearest network


@dataclass(frozen=True)
class InitialWeights:
    """A network or a store to train, and the checkpoint that its weights are from, if any.

    The last styles of a store are the paintings of the run, in their order. The others, `base_store`, are those of a
    store that the run adds the paintings to.
    """

    network: TransformNet | Store
    origin: OriginCard | None = None
    base_store: StoreCard | None = None


def load(config: TrainConfig, paintings: Sequence[Painting], val_photos: PhotoSet, size: int) -> InitialWeights:
    """Build the network of a run with the initial weights that `config.init` names.

    Args:
        config: The settings of the run. `init` is null (random weights), a checkpoint, a reference to the zoo, or
            `auto`: of the zoo's networks and stores with this architecture, the one with the lowest loss on validation
            photos; random weights if there is none. Of a store, each painting takes the norms under its name, or of the
            style with the lowest loss.
        paintings: The paintings of the run, whose losses compare networks.
        val_photos: The photos to compare networks on.
        size: The side of their center squares, in pixels.

    Raises:
        UsageError: The checkpoint is missing or damaged, has another architecture, or a style of a painting's name.
    """
    # A state contains weights already; which styles a run adds to, only the store says.
    resumed = config.resume is not None and train_state.states(Path(config.resume).expanduser())
    paths = _candidates(config.model) if config.init == AUTO else {}
    if config.freeze != "none" and config.init == AUTO and not paths:
        raise UsageError(
            f"freeze={config.freeze} would keep random weights: the zoo has no network of this architecture; name a "
            "network or a store with init="
        )
    if config.init is None or (resumed and config.freeze == "none") or (config.init == AUTO and not paths):
        return InitialWeights(_for_paintings(config, [transform_net.build(config.model)] * len(paintings)))
    comparison = _Comparison(paintings, val_photos, size)
    if config.init == AUTO:
        candidates = {name: _starts(*_load(path, config.model), comparison) for name, path in paths.items()}
        name = min(candidates, key=lambda name: comparison.total(candidates[name]))
        return InitialWeights(_for_paintings(config, candidates[name]), _origin(name, paths[name]))
    path = zoo.resolve(config.init, checkpoint.SUFFIX, _zoo_model(config.model, config.init))
    network, card = _load(path, config.model)
    if not _fits(card, config.model):
        model = asdict(card.model)
        words = " ".join(
            f"model.{key}={value}" for key, value in sorted(model.items()) if key not in ("name", "passes")
        )
        raise UsageError(
            f"init={config.init} has another architecture than this run; use model={card.model.name} {words}"
        )
    origin = _origin(config.init if config.init.startswith(zoo.PREFIX) else path.name, path)
    starts = _starts(network, card, comparison)
    if config.freeze == "none" or not isinstance(network, Store):
        return InitialWeights(_for_paintings(config, starts), origin)
    assert card.store is not None
    for painting in paintings:
        if painting.name in card.store.names:
            remedy = "rename the file" if config.style.is_store else "give another style.name"
            raise UsageError(f"init={config.init} has a style of the name {painting.name} already; {remedy}")
    return InitialWeights(Store([*networks_of(network), *starts]), origin, card.store)


def _for_paintings(config: TrainConfig, starts: Sequence[TransformNet]) -> TransformNet | Store:
    """A store, or the network of the only painting."""
    return Store(starts) if config.style.is_store else copy.deepcopy(starts[0])


def _starts(network: TransformNet | Store, card: Card, comparison: "_Comparison") -> list[TransformNet]:
    """The network that each painting starts from: the style of its name, or the nearest."""
    networks = networks_of(network)
    names = card.store.names if card.store is not None else []
    starts = []
    for number, painting in enumerate(comparison.paintings):
        if painting.name in names:
            starts.append(networks[names.index(painting.name)])
        elif len(networks) == 1:
            starts.append(networks[0])
        else:
            losses = [comparison.losses(each)[number] for each in networks]
            starts.append(networks[losses.index(min(losses))])
    return starts


def _zoo_model(model: ModelConfig, reference: str) -> str | None:
    """The name in the zoo of a network whose weights fit an architecture, for a reference to a painting."""
    if model.name not in zoo.MODELS or model.eighth_blocks:
        return None
    painting, _, named = reference.removeprefix(zoo.PREFIX).partition("/")
    names = [zoo.STUDIO, model.name] if model.name == MOBILE and model.passes > 1 else [model.name]
    if named in (MOBILE, zoo.STUDIO) and model.name == MOBILE:
        return named
    return next((name for name in names if name in zoo.models(painting)), model.name)


def _candidates(model: ModelConfig) -> dict[str, Path]:
    """The zoo's checkpoints whose weights fit the architecture of `model`, by reference."""
    paths = {f"{zoo.PREFIX}{name}": zoo.FOLDER / name for name in (*zoo.names(), zoo.STORE)}
    if _zoo_model(model, "") is None:
        return {}
    paths = {name: path / f"{_zoo_model(model, name)}{checkpoint.SUFFIX}" for name, path in paths.items()}
    return {name: path for name, path in paths.items() if path.is_file() and _fits(checkpoint.load_any(path)[1], model)}


def _load(path: Path, model: ModelConfig) -> tuple[TransformNet | Store, Card]:
    """A checkpoint, whose network stylizes in as many passes as `model`."""
    network, card = checkpoint.load_any(path)
    for each in networks_of(network):
        each.passes, each.stride = model.passes, model.stride
    return network, card


def _fits(card: Card, model: ModelConfig) -> bool:
    """Whether the weights of a network fit an architecture: all passes have the same ones."""
    return asdict(card.model) | {"passes": model.passes} == vars(model)


class _Comparison:
    """The losses of networks on a few validation photos."""

    def __init__(self, paintings: Sequence[Painting], val_photos: PhotoSet, size: int) -> None:
        self.paintings, self.val_photos, self.size = paintings, val_photos, size
        self._photos: list[Tensor] = []
        self._losses: dict[TransformNet, list[float]] = {}

    def total(self, networks: Sequence[TransformNet]) -> float:
        """The sum of the losses of networks, one for each painting."""
        return sum(self.losses(network)[number] for number, network in enumerate(networks))

    def losses(self, network: TransformNet) -> list[float]:
        """The loss by each painting."""
        if network not in self._losses:
            self._losses[network] = self._measure(network)
        return self._losses[network]

    @torch.no_grad()
    def _measure(self, network: TransformNet) -> list[float]:
        if not self._photos:
            crops, *_ = validation_crops(self.val_photos, self.size)
            self._photos = [to_pixels(photo, torch.device("cpu")) for photo in crops[:COMPARED].split(1)]
        target = self.paintings[0].loss.content_target
        pairs = [(network(pixels), target(pixels)) for pixels in self._photos]
        return [
            sum(painting.loss(stylized, features).total.item() for stylized, features in pairs)
            for painting in self.paintings
        ]


def _origin(name: str, path: Path) -> OriginCard:
    return OriginCard(name, sha256(path), checkpoint.load_any(path)[1].license)
