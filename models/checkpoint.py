"""The file that passes from training to export: weights and a JSON card in one .safetensors file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from impasto.configs.errors import RequestError
from impasto.configs.rules import check
from impasto.configs.schema import ModelConfig
from impasto.models import files
from impasto.models.networks import Transformer, build

SUFFIX = ".safetensors"
_FORMAT = "impasto-1"

Card = dict[str, Any]
"""What a network is and where it comes from. Keys: model, style, loss, data, training, validation, versions."""


def path(directory: Path, step: int) -> Path:
    """Where a run keeps the checkpoint of a step."""
    return directory / f"step_{step:08d}{SUFFIX}"


def save(path: Path, network: Transformer, model: ModelConfig, card: Card) -> None:
    """Write a checkpoint whole or not at all."""
    card = {"model": asdict(model)} | card
    metadata = {"format": _FORMAT, "card": json.dumps(card, sort_keys=True)}
    with files.aside(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, part, metadata)


def load(path: Path) -> tuple[Transformer, Card]:
    """The network in evaluation mode on the CPU, and its card. Raises RequestError for any other kind of file."""
    if path.suffix != SUFFIX:
        raise RequestError(f"{path} is no checkpoint: impasto reads {SUFFIX} files only, since a pickle can run code")
    if not path.is_file():
        raise RequestError(f"{path}: there is no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise RequestError(f"{path} is damaged, or no safetensors file ({error}); take another") from error
    if metadata.get("format") != _FORMAT:
        raise RequestError(f"{path} is a safetensors file, but not one that impasto-train wrote")
    try:
        card = _read_card(metadata["card"])
        model = ModelConfig(**card["model"])
        check(model, "model.")
        with torch.device("meta"):  # a card's few bytes may ask for a network that fills the memory
            shapes = {name: tensor.shape for name, tensor in build(model).state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in state.items()}:
            raise ValueError("its weights have other names or shapes than its card says")
        network = build(model)
        network.load_state_dict(state)
    except (RequestError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"{path} holds a network that this version of impasto does not know: {reason}") from error
    return network.eval(), card


def _read_card(text: str) -> Card:
    card = json.loads(text)
    parts = {"model": dict, "style": dict, "loss": dict, "data": dict, "training": dict, "validation": list}
    for name, kind in parts.items():
        if not isinstance(card, dict) or not isinstance(card.get(name, kind()), kind):
            raise ValueError(f"its card has no {name} of the kind that impasto-train writes")
    return card
