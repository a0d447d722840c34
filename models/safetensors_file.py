"""Write safetensors files atomically, and read them with one error for any damage. No pickle."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from impasto.configs import atomic_file


class DamagedFileError(Exception):
    """The file cannot be read as safetensors; its message is one line."""


def write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write or replace a file. A full disk raises OSError or SafetensorError, and leaves the earlier file."""
    with atomic_file.atomic_write(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, on the CPU, and the metadata of a file; raises DamagedFileError."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is not a dict
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedFileError(" ".join(str(error).split())) from error
