"""Checkpoints, which pass from training to export: weights and a JSON model card in one .safetensors file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.model import ModelConfig
from impasto.configs.schema.style import slug
from impasto.models import run_directory, safetensors_file, style_file
from impasto.models.card import Card, StoreCard
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet, build

SUFFIX = run_directory.SUFFIX
_FORMAT = "impasto-1"


def path(directory: Path, step: int) -> Path:
    """The path of a step's checkpoint in a run directory."""
    return directory / f"step_{step:08d}{SUFFIX}"


def save(path: Path, network: TransformNet | Store, card: Card) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file to write or replace.
        network: The network or the store whose weights are saved.
        card: The model card; `card.model` must describe `network`, and `card.store` the styles of a store.
    """
    metadata = {"format": _FORMAT, "card": json.dumps(card.to_json(), sort_keys=True)}
    safetensors_file.write(path, network.state_dict(), metadata)


def load(path: Path, style: str | None = None) -> tuple[TransformNet, Card]:
    """Read the checkpoint of a network, or one style of a store.

    Args:
        path: A .safetensors file that impasto-train wrote.
        style: The name of a style, of a store only.

    Returns:
        The network in evaluation mode on the CPU, and its model card.

    Raises:
        UsageError: The file is missing, damaged, or not a checkpoint of impasto; or the style is not in it.
    """
    return one_style(path, *load_any(path), style)


def one_style(path: Path, network: TransformNet | Store, card: Card, style: str | None) -> tuple[TransformNet, Card]:
    """Return the network of a style of a store, and its card; raises UsageError as `load` does."""
    if isinstance(network, TransformNet):
        if style is not None:
            raise UsageError(f"style={style} cannot be chosen: {path} is a network of one painting; omit style=")
        return network, card
    assert card.store is not None
    names = card.store.names
    if style is None:
        raise UsageError(f"{path} is a store of styles; name one of them with style=: {', '.join(names)}")
    if style not in names:
        raise UsageError(f"style={style} is not in {path}; choose one of {', '.join(names)}")
    return network.blend([float(name == style) for name in names]), card.of_style(style)


def load_any(path: Path) -> tuple[TransformNet | Store, Card]:
    """Read the checkpoint of a network or of a store, whose card has a `store`; raises UsageError as `load` does."""
    if path.suffix in (".onnx", ".ort"):
        raise UsageError(f"{path} is an exported file, not a checkpoint; name the {SUFFIX} file that it came from")
    if not path.exists():
        raise UsageError(f"{path} does not exist; name an existing checkpoint, or a run directory")
    if path.suffix != SUFFIX:
        raise UsageError(f"{path} is not a checkpoint: impasto reads {SUFFIX} files only, since a pickle can run code")
    try:
        state, metadata = safetensors_file.read(path)
    except safetensors_file.DamagedFileError as error:
        raise UsageError(f"{path} is damaged, or not a safetensors file ({error}); use another checkpoint") from error
    if metadata.get("format") != _FORMAT:
        raise UsageError(f"{path} is a safetensors file that impasto-train did not write; use one that it wrote")
    try:
        card = Card.from_json(json.loads(metadata["card"]))
        model = validate(ModelConfig, asdict(card.model), "model.")
        with torch.device("meta"):  # a card of a few bytes could otherwise request a network that fills the memory
            if card.store is not None and len(card.store.styles) not in {len(tensor) for tensor in state.values()}:
                raise ValueError("the number of its styles does not match its card")
            shapes = {name: tensor.shape for name, tensor in _build(model, card).state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in state.items()}:
            raise ValueError("the names or shapes of its weights do not match its card")
        network = _build(model, card)
        network.load_state_dict(state)
    except (UsageError, CheckFailed, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"{path} holds a network that this version of impasto does not support ({reason}); use another checkpoint"
        ) from error
    return network.eval(), card


def save_styles(folder: Path, store: Store, card: Card) -> dict[str, Path]:
    """Write a style file for each style of a store; their paths by the names of the styles."""
    assert card.store is not None
    paths = {style.name: folder / f"{slug(f'{style.name}.x')}{style_file.SUFFIX}" for style in card.store.styles}
    if len({*paths.values()}) < len(paths):
        raise UsageError(f"two styles of the store have names of equal letters: {', '.join(paths)}; rename one")
    folder.mkdir(parents=True, exist_ok=True)
    for index, style in enumerate(card.store.styles):
        file = style_file.StyleFile(store.norms(index), store.trunk_sha256, style)
        style_file.save(paths[style.name], file)
    return paths


def with_styles(path: Path, store: Store, card: Card, files: Sequence[Path]) -> tuple[Store, Card]:
    """Return a store and its card with the styles of more files.

    Args:
        path: The file of the store, for messages.
        store: The store.
        card: Its card.
        files: Style files.

    Raises:
        UsageError: A file cannot be read, is a style of another network, or has a name that the store has.
    """
    assert card.store is not None
    styles = [*card.store.styles]
    for file in files:
        loaded = style_file.load(file)
        loaded.check_network(file, store.trunk_sha256, len(store.norms(0)), str(path))
        if loaded.style.name in [style.name for style in styles]:
            raise UsageError(f"{file} is a style of the name {loaded.style.name}, which {path} has already; omit it")
        store, styles = store.with_norms(loaded.norms), [*styles, loaded.style]
    return store, replace(card, store=StoreCard(card.store.name, styles))


def _build(model: ModelConfig, card: Card) -> TransformNet | Store:
    """A network of a card's architecture and styles, with random weights."""
    network = build(model)
    if card.store is None:
        return network
    if not card.store.styles or len({*card.store.names}) < len(card.store.styles):
        raise ValueError("its card has no styles, or two of one name")
    return Store([network] * len(card.store.styles))
