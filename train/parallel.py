"""Data-parallel training under torchrun: every process takes its share of each batch, one gradient goes for all.

The processes hold the same weights and take the same steps, and the first one alone writes.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from impasto.configs.errors import CheckError, RequestError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Group:
    """The processes of a run, and which of them this one is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """How many photos of a batch are this process's; RequestError where they cannot be dealt out evenly."""
        if batch % self.size:
            raise RequestError(f"trainer.batch={batch} cannot be shared by {self.size} processes; give a multiple")
        return batch // self.size

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make each gradient the mean of all processes': one message for all of them."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]) / self.size
        _reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes."""
        if self.size > 1:
            values = values / self.size
            _reduce(values)
        return values

    def agree(self, seconds: float, asked: bool) -> tuple[float, bool]:
        """The first process's clock, and whether any was asked to end: what all must know alike at each step.

        Goes through the host's memory, so that no GPU is waited for.
        """
        if self.size == 1:
            return seconds, asked
        told = torch.tensor([seconds if self.leads else 0.0, float(asked)], dtype=torch.float64)
        _reduce(told)
        return told[0].item(), bool(told[1])

    def from_first(self, make: Callable[[], _T]) -> _T:
        """What `make` gives in the first process, in all of them."""
        if self.size == 1:
            return make()
        shared: list[Any] = [make() if self.leads else None]
        with _lost_said():
            dist.broadcast_object_list(shared, src=0)
        return shared[0]

    def gather(self, lines: list[str]) -> list[str]:
        """The lines of all processes."""
        if self.size == 1:
            return lines
        gathered: list[list[str]] = [[] for _ in range(self.size)]
        with _lost_said():
            dist.all_gather_object(gathered, lines)
        return [line for each in gathered for line in each]


class Nothing:
    """Stands for the records of a process that writes none."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that torchrun started, or this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Tensors of a GPU go through NCCL, those of the host through gloo.
    with _lost_said():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


def go_on(directory: Path) -> str:
    """The command that goes on with a run, by as many processes as now."""
    size = os.environ.get("WORLD_SIZE", "1")
    words = ["impasto-train", f"resume={directory}"]
    if size != "1":
        words = ["torchrun", "--standalone", f"--nproc-per-node={size}", "--no-python", *words]
    return shlex.join(words)


def _reduce(values: Tensor) -> None:
    with _lost_said():
        dist.all_reduce(values)


@contextmanager
def _lost_said() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch.distributed's errors are all of this kind
        raise CheckError(
            f"process {os.environ.get('RANK')} of {os.environ.get('WORLD_SIZE')} lost another one, which was ended or "
            f"cannot be reached ({str(error).splitlines()[0][:120]}); go on from the last state with resume=RUN_DIR"
        ) from error
