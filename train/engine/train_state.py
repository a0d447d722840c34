"""The state of a training run, and the files to resume from: weights, their average, the optimizer's moments, progress.

The newest two state files remain in the run directory, each named by its step like its checkpoint.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.train import TrainerConfig
from impasto.models import checkpoint, safetensors_file
from impasto.models.card import CropStage, LossCard, OriginCard, StyleCard
from impasto.train.runtime import distributed

SUFFIX = ".state"
_FORMAT = "impasto-resume-3"
_NO_SPACE = [getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name)]  # Windows has two
_TRANSIENT = {"transient": True}  # marks fields that no file stores


@dataclass(frozen=True)
class CalibratedStyleWeight:
    """The loss with the style_weight measured for its style_strength, and the style image of that measurement."""

    loss: LossCard
    style_sha256: str
    style_size: int

    def is_valid_for(self, loss: LossCard, style: StyleCard) -> bool:
        """Whether a run with these settings would measure the same style_weight."""
        weighted = replace(loss, style_weight=self.loss.style_weight)
        return self == CalibratedStyleWeight(weighted, style.sha256, style.size)

    def to_json(self) -> dict[str, Any]:
        """The weight, and the settings that it is valid for."""
        settings = asdict(self.loss)
        style_weight = settings.pop("style_weight")
        style = {"sha256": self.style_sha256, "size": self.style_size}
        return {"for": [settings, style], "style_weight": style_weight}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "CalibratedStyleWeight":
        """Read what `to_json` returned; raises CheckFailed, KeyError, TypeError or ValueError for anything else."""
        settings, style = values["for"]
        loss = LossCard.from_json(settings | {"style_weight": values["style_weight"]})
        return cls(loss, style["sha256"], style["size"])


@dataclass
class TrainState:
    """The progress of a run.

    Attributes:
        step: The number of completed steps.
        seconds: The time spent on them, over all sessions.
        validation: The mean losses on the validation photos, by step.
        calibrated_style_weight: The `style_weight` measured for loss.style_strength, if any.
        recent_losses: The total losses of the last rows of metrics.csv.
        rollbacks: A sentence on each return to an earlier state.
        identity: What must stay the same within the run (`run_identity.identity`).
        origin: The name and SHA-256 of the checkpoint that training started from, if any.
        stages: The stages of the crops, planned when the run began.
        stage_starts: The step after which each stage began, up to the present one. A run whose budget is in minutes
            resumes in the stage that it had reached.
        stop_requested: Whether a signal asked the run to stop. Not saved.
        unsaved: Whether no file stores this state yet. Not saved.
    """

    step: int = 0
    seconds: float = 0.0
    validation: list[dict[str, float]] = field(default_factory=list)
    calibrated_style_weight: CalibratedStyleWeight | None = None
    recent_losses: list[float] = field(default_factory=list)
    rollbacks: list[str] = field(default_factory=list)
    identity: dict[str, Any] = field(default_factory=dict)
    origin: OriginCard | None = None
    stages: list[CropStage] = field(default_factory=list)
    stage_starts: list[int] = field(default_factory=lambda: [0])
    stop_requested: bool = field(default=False, metadata=_TRANSIENT)
    unsaved: bool = field(default=True, metadata=_TRANSIENT)

    def advance(self, seconds: float, stop_requested: bool) -> None:
        """Count a completed step; `seconds` is the clock of the run after it."""
        self.step += 1
        self.seconds = seconds
        self.stop_requested = stop_requested
        self.unsaved = True

    @property
    def stage(self) -> CropStage:
        """The stage of the next step."""
        return self.stages[len(self.stage_starts) - 1]

    def enter_stages(self, budget: TrainerConfig) -> bool:
        """Enter the stage that the spent fraction of the budget calls for, never an earlier one; whether it is new."""
        before = len(self.stage_starts)
        while len(self.stage_starts) < len(self.stages) and self.stage.until <= self.fraction(budget):
            self.stage_starts.append(self.step)
        return len(self.stage_starts) > before

    def fraction(self, budget: TrainerConfig) -> float:
        """The spent fraction of the budget, 0..1."""
        spent = [0.0]
        if budget.steps is not None:
            spent.append(self.step / budget.steps)
        if budget.minutes is not None:
            spent.append(self.seconds / (60 * budget.minutes))
        return min(1.0, max(spent))

    def is_due(self, every: int, budget: TrainerConfig) -> bool:
        """Whether this is one of every `every` steps, or the last step of this session."""
        return self.stop_requested or self.fraction(budget) >= 1 or self.step % every == 0

    def validation_is_due(self, budget: TrainerConfig) -> bool:
        """Whether this step has to be validated and has not been."""
        done = self.validation[-1]["step"] if self.validation else None
        return done != self.step and (self.fraction(budget) >= 1 or self.step % budget.validate_every == 0)

    def is_best(self) -> bool:
        """Whether the present step was validated, with the lowest loss of all steps."""
        trained = [losses for losses in self.validation if losses["step"]]
        last = trained[-1] if trained else {"step": -1.0}
        return last["step"] == self.step and last["total"] == min(losses["total"] for losses in trained)

    def to_json(self) -> dict[str, Any]:
        """The saved fields as plain JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if not item.metadata}
        calibrated = self.calibrated_style_weight
        values["calibrated_style_weight"] = calibrated.to_json() if calibrated else {}
        values["origin"] = self.origin.to_json() if self.origin else None
        values["stages"] = [stage.to_json() for stage in self.stages]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainState":
        """Read what `to_json` returned; raises CheckFailed, KeyError, TypeError or ValueError for anything else."""
        calibrated, origin = values["calibrated_style_weight"], values["origin"]
        typed = {
            "calibrated_style_weight": CalibratedStyleWeight.from_json(calibrated) if calibrated else None,
            "origin": OriginCard.from_json(origin) if origin else None,
            "stages": [CropStage.from_json(stage) for stage in values.get("stages", [])],
        }
        return cls(**(values | typed), unsaved=False)


class _DamagedStateError(UsageError):
    pass


def path(directory: Path, step: int) -> Path:
    """The path of a step's state in a run directory."""
    return directory / f"step_{step:08d}{SUFFIX}"


def states(directory: Path) -> list[Path]:
    """The states of a run, the newest first."""
    return sorted(directory.glob(f"step_*{SUFFIX}"), reverse=True)


def save(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer, state: TrainState) -> None:
    """Write a state atomically as safetensors, with a hash of its content."""
    tensors = {
        f"{name}/{key}": value.detach().contiguous().cpu().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value.contiguous().cpu().clone() for key, value in values.items()}
    text = json.dumps(state.to_json())
    metadata = {"format": _FORMAT, "progress": text, "sha256": _sha256(tensors, text)}
    safetensors_file.write(path, tensors, metadata)


def load_newest(directory: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> tuple[TrainState, list[str]]:
    """Load the newest intact training state; also return a message for each damaged one.

    A run that was stopped before it saved a state starts from the beginning.

    Raises:
        UsageError: All states are damaged, or missing beside a checkpoint, or the newest is of another network.
    """
    paths, damages = states(directory), []
    for file in paths:
        try:
            state = load(file, modules, optimizer)
        except _DamagedStateError as error:
            damages.append(error)
        else:
            return state, [f"{error}; resuming from {file.name}, the state before it" for error in damages]
    if paths:
        sentences = " and ".join(str(error) for error in damages)
        raise UsageError(f"{sentences}; start a new run from a checkpoint of {directory} with init=")
    if any(directory.glob(f"*{checkpoint.SUFFIX}")):
        raise UsageError(f"{directory} contains checkpoints but no state; start a new run from one of them with init=")
    return TrainState(), [f"{directory} was stopped before it saved a state; starting from the beginning"]


def load(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> TrainState:
    """Load a state into the modules and the optimizer; raises UsageError."""
    try:
        tensors, metadata = safetensors_file.read(path)
    except safetensors_file.DamagedFileError as error:
        raise _DamagedStateError(f"{path} is damaged ({error})") from error
    if metadata.get("format") != _FORMAT:
        raise _DamagedStateError(f"{path} is damaged, or was written by another version of impasto-train")
    if metadata.get("sha256") != _sha256(tensors, metadata.get("progress", "")):
        raise _DamagedStateError(f"{path} is damaged (its content does not match its SHA-256)")
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, f"{name}/"))
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for key, value in _below(tensors, "optimizer/").items():
            index, name = key.split("/")
            parameter = parameters[int(index)]
            # Moments take the memory layout of their parameter: fused Adam traverses both in the same order.
            moment = value if value.shape != parameter.shape else torch.empty_like(parameter).copy_(value)
            moments.setdefault(int(index), {})[name] = moment
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        return TrainState.from_json(json.loads(metadata["progress"]))
    except (CheckFailed, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"{path} belongs to another network ({reason}); resume with its own settings") from error


@contextmanager
def report_full_disk(directory: Path) -> Iterator[None]:
    """Turn the errors of a full disk into a CheckFailed that names the last intact state."""
    try:
        yield
    except (OSError, SafetensorError, UsageError) as error:
        reason = _full_disk_reason(error)
        if reason is None:
            raise
        newest = next(iter(states(directory)), None)
        saved = f"the last state is {newest.name}" if newest else "no state was saved before"
        raise CheckFailed(
            f"{directory} has no space left to save to ({reason}); {saved}: free some space and resume with: "
            f"{distributed.resume_command(directory)}"
        ) from error


def _full_disk_reason(error: BaseException | None) -> str | None:
    """The system's message if a file could not be written for lack of space."""
    while error is not None:
        for number in _NO_SPACE:
            # safetensors puts the number into its message only
            if getattr(error, "errno", None) == number or f"(os error {number})" in str(error):
                return os.strerror(number).lower()
        error = error.__cause__
    return None


def _sha256(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
