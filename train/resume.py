"""What a run needs to go on, beside its checkpoint: weights, their average, Adam's moments, the place in the data.

The newest two states are kept, each named by its step as its checkpoint is.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from impasto.configs.errors import CheckError, RequestError
from impasto.configs.schema import TrainConfig
from impasto.models import checkpoint, files
from impasto.train import parallel

SUFFIX = ".state"
_FORMAT = "impasto-resume-2"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class Progress:
    """How far a run is: steps done, seconds spent on them, and the losses on held-out photos.

    `weighed` is the style_weight that was measured for loss.strength, and what it was measured for; `usual` are the
    losses of the last rows; `rollbacks` a sentence on each return to an earlier state (train/guards.py); `origin` the
    checkpoint that the run began from, if it began from one (train/warm.py).
    """

    step: int = 0
    seconds: float = 0.0
    validation: list[dict[str, float]] = field(default_factory=list)
    weighed: dict[str, Any] = field(default_factory=dict)
    usual: list[float] = field(default_factory=list)
    rollbacks: list[str] = field(default_factory=list)
    origin: dict[str, str] | None = None


class _DamagedStateError(RequestError):
    pass


def path(directory: Path, step: int) -> Path:
    """Where the state of a step lies."""
    return directory / f"step_{step:08d}{SUFFIX}"


def states(directory: Path) -> list[Path]:
    """The states of a run, the newest first."""
    return sorted(directory.glob(f"step_*{SUFFIX}"), reverse=True)


def save(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer, progress: Progress) -> None:
    """Write the state whole or not at all, as safetensors with a hash of what it holds: no pickle."""
    tensors = {
        f"{name}/{key}": value.detach().contiguous().cpu().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value.contiguous().cpu().clone() for key, value in values.items()}
    noted = json.dumps(vars(progress))
    with files.aside(path) as part:
        save_file(tensors, part, {"format": _FORMAT, "progress": noted, "sha256": _sha256(tensors, noted)})


def newest(directory: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> tuple[Progress, list[str]]:
    """Bring modules and optimizer to the newest state that is whole; also a sentence on each that is not.

    A run that was stopped before it saved anything starts at its beginning. Raises RequestError.
    """
    found, damages = states(directory), []
    for state in found:
        try:
            progress = load(state, modules, optimizer)
        except _DamagedStateError as error:
            damages.append(error)
        else:
            return progress, [f"{error}; going on from {state.name}, the state before it" for error in damages]
    if found:
        names = " and ".join(str(error) for error in damages)
        raise RequestError(f"{names}; start a new run from a checkpoint of {directory} with init=")
    if any(directory.glob(f"*{checkpoint.SUFFIX}")):
        raise RequestError(
            f"{directory} holds checkpoints, but a state does not exist; start a new run from one with init="
        )
    return Progress(), [f"{directory} saved no state before it was stopped; starting at its beginning"]


def load(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> Progress:
    """Bring modules and optimizer to the saved state; raises RequestError."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise _DamagedStateError(f"{path} is damaged ({' '.join(str(error).split())})") from error
    if metadata.get("format") != _FORMAT:
        raise _DamagedStateError(f"{path} is damaged, or was written by another version of impasto-train")
    if metadata.get("sha256") != _sha256(tensors, metadata.get("progress", "")):
        raise _DamagedStateError(f"{path} is damaged (what it holds has another hash than what was saved)")
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


def keep_settings(directory: Path, config: TrainConfig, overrides: list[str]) -> None:
    """Write down what the run was asked for, whole or not at all: `resume=` reads it (configs/overrides.py)."""
    folder = directory / ".hydra"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("config", OmegaConf.structured(config)), ("overrides", OmegaConf.create(overrides))):
        with files.aside(folder / f"{name}.yaml") as part:
            part.write_text(OmegaConf.to_yaml(content), encoding="utf-8")


@contextmanager
def full_disk_said(directory: Path) -> Iterator[None]:
    """Turn what a full disk raises into a CheckError that names the last good state."""
    try:
        yield
    except (OSError, SafetensorError, RequestError) as error:
        reason = _no_room(error)
        if reason is None:
            raise
        kept = next(iter(states(directory)), None)
        left = f"{kept.name} is kept" if kept else "nothing was saved before"
        raise CheckError(
            f"{directory} has no room for what is to be saved ({reason}); {left}: make room and go on with: "
            f"{parallel.go_on(directory)}"
        ) from error


def _no_room(error: BaseException | None) -> str | None:
    """The system's words where a file could not be written for want of room."""
    while error is not None:
        for number in _NO_ROOM:
            # safetensors has the number in its message alone
            if getattr(error, "errno", None) == number or f"(os error {number})" in str(error):
                return os.strerror(number).lower()
        error = error.__cause__
    return None


def _sha256(tensors: dict[str, Tensor], noted: str) -> str:
    digest = hashlib.sha256(noted.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
