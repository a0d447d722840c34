"""Data-parallel training under torchrun: each process computes a share of each batch, and the gradients are averaged.

All processes hold the same weights and take the same steps. Only the main process writes files.
"""

import importlib
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

from impasto.configs.errors import CheckFailed, UsageError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Group:
    """The processes of a run, and the rank of this one."""

    rank: int = 0
    size: int = 1

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def local_batch_size(self, batch_size: int) -> int:
        """This process's share of a batch; raises UsageError if the shares would be unequal."""
        if batch_size % self.size:
            raise UsageError(
                f"trainer.batch_size={batch_size} cannot be shared by {self.size} processes; use a multiple of "
                f"{self.size}"
            )
        return batch_size // self.size

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes, in one message."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]) / self.size
        _all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes."""
        if self.size > 1:
            values = values / self.size
            _all_reduce(values)
        return values

    def sync_clock_and_stop(self, seconds: float, stop_requested: bool) -> tuple[float, bool]:
        """Broadcast rank 0's clock and OR the stop flags, so that all ranks take the same decision.

        The message goes through host memory, so that the host does not wait for a GPU.
        """
        if self.size == 1:
            return seconds, stop_requested
        message = torch.tensor([seconds if self.is_main_process else 0.0, float(stop_requested)], dtype=torch.float64)
        _all_reduce(message)
        return message[0].item(), bool(message[1])

    def broadcast_from_main(self, make: Callable[[], _T]) -> _T:
        """Call `make` in the main process, and return its value in all processes."""
        if self.size == 1:
            return make()
        values: list[Any] = [make() if self.is_main_process else None]
        with _lost_process_error():
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def gather(self, lines: list[str]) -> list[str]:
        """The lines of all processes."""
        if self.size == 1:
            return lines
        gathered: list[list[str]] = [[] for _ in range(self.size)]
        with _lost_process_error():
            dist.all_gather_object(gathered, lines)
        return [line for part in gathered for line in part]


@contextmanager
def process_group(device: torch.device) -> Iterator[Group]:
    """The process group that torchrun started, or a group of this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # The functions of this module have the process group of the time of its import as a default argument. torch imports
    # it with the first optimizer, so that destroy_process_group could not end gloo's threads; one that then dropped a
    # tensor while the interpreter was shutting down aborted the process.
    importlib.import_module("torch.distributed.nn.functional")
    # NCCL for tensors on a GPU, gloo for tensors in host memory.
    with _lost_process_error():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


def resume_command(directory: Path) -> str:
    """The command that resumes a run with the present number of processes."""
    size = os.environ.get("WORLD_SIZE", "1")
    words = ["impasto-train", f"resume={directory}"]
    if size != "1":
        words = ["torchrun", "--standalone", f"--nproc-per-node={size}", "--no-python", *words]
    return shlex.join(words)


def _all_reduce(values: Tensor) -> None:
    with _lost_process_error():
        dist.all_reduce(values)


@contextmanager
def _lost_process_error() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the base class of torch.distributed's errors
        raise CheckFailed(
            f"process {os.environ.get('RANK')} of {os.environ.get('WORLD_SIZE')} lost another process, which ended or "
            f"cannot be reached ({str(error).splitlines()[0][:120]}); resume from the last state with resume=RUN_DIR"
        ) from error
