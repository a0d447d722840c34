"""What a run needs to go on, beside its checkpoint: weights, their average, Adam's moments, the place in the data."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from impasto.configs.errors import RequestError
from impasto.models import files

_FORMAT = "impasto-resume-1"


@dataclass
class Progress:
    """How far a run is: steps done, seconds spent on them, and the losses on held-out photos.

    `weighed` is the style_weight that was measured for loss.strength, and what it was measured for.
    """

    step: int = 0
    seconds: float = 0.0
    validation: list[dict[str, float]] = field(default_factory=list)
    weighed: dict[str, Any] = field(default_factory=dict)


def save(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer, progress: Progress) -> None:
    """Write the state whole or not at all, as safetensors: no pickle."""
    tensors = {
        f"{name}/{key}": value.detach().contiguous().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value.contiguous().clone() for key, value in values.items()}
    with files.aside(path) as part:
        save_file(tensors, part, {"format": _FORMAT, "progress": json.dumps(vars(progress))})


def load(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> Progress:
    """Bring modules and optimizer to the saved state; raises RequestError."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no dict
    except FileNotFoundError as error:
        raise RequestError(
            f"{path} does not exist: the run saved no state, so start it again without resume="
        ) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise RequestError(f"{path} is damaged ({error}); start from the run's checkpoint with init=") from error
    if metadata.get("format") != _FORMAT:
        raise RequestError(
            f"{path} was written by another version of impasto-train; start from its checkpoint with init="
        )
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, f"{name}/"))
        state: dict[int, dict[str, Tensor]] = {}
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for key, value in _below(tensors, "optimizer/").items():
            index, name = key.split("/")
            parameter = parameters[int(index)]
            # Moments lie in memory as their parameter does: fused Adam walks through both alike.
            moment = value if value.shape != parameter.shape else torch.empty_like(parameter).copy_(value)
            state.setdefault(int(index), {})[name] = moment
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return Progress(**json.loads(metadata["progress"]))
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"{path} belongs to another network ({reason}); resume with its own settings") from error


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
