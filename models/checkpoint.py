"""Checkpoints, which pass from training to export: weights and a JSON model card in one .safetensors file."""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.model import ModelConfig
from impasto.models import run_directory, safetensors_file
from impasto.models.card import Card
from impasto.models.transform_net import TransformNet, build

SUFFIX = run_directory.SUFFIX
_FORMAT = "impasto-1"


def path(directory: Path, step: int) -> Path:
    """The path of a step's checkpoint in a run directory."""
    return directory / f"step_{step:08d}{SUFFIX}"


def save(path: Path, network: TransformNet, card: Card) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file to write or replace.
        network: The network whose weights are saved.
        card: The model card; `card.model` must describe `network`.
    """
    metadata = {"format": _FORMAT, "card": json.dumps(card.to_json(), sort_keys=True)}
    safetensors_file.write(path, network.state_dict(), metadata)


def load(path: Path) -> tuple[TransformNet, Card]:
    """Read a checkpoint.

    Args:
        path: A .safetensors file that impasto-train wrote.

    Returns:
        The network in evaluation mode on the CPU, and its model card.

    Raises:
        UsageError: The file is missing, damaged, or not a checkpoint of impasto.
    """
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
            shapes = {name: tensor.shape for name, tensor in build(model).state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in state.items()}:
            raise ValueError("the names or shapes of its weights do not match its card")
        network = build(model)
        network.load_state_dict(state)
    except (UsageError, CheckFailed, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"{path} holds a network that this version of impasto does not support ({reason}); use another checkpoint"
        ) from error
    return network.eval(), card
