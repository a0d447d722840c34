"""The device and the precision of a computation."""

import ctypes
import sys
from dataclasses import dataclass

import torch

from impasto.configs.errors import UsageError


@dataclass(frozen=True)
class Hardware:
    """A device, and the type that convolutions are computed in."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """The context in which a network runs in this precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def choose(device: str, precision: str) -> Hardware:
    """Resolve `auto` to the hardware of this machine.

    On CPUs bf16 in channels-last memory is faster than float32 where the hardware multiplies it: training was over 3x
    faster on two cores with AMX, 1.8x on two with AVX512-BF16.

    Args:
        device: `auto` (a CUDA GPU if there is one), `cpu`, `cuda` or `mps` (Metal, the GPU of a Mac).
        precision: `auto` (bf16 with tensor cores, AMX or AVX512-BF16), `fp32` or `bf16`.

    Raises:
        UsageError: PyTorch does not find the GPU of `cuda` or `mps`.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device=cuda is not available: PyTorch found no CUDA GPU; use device=cpu or device=auto")
    if device == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device=mps is not available: PyTorch found no Metal GPU; use device=cpu or device=auto")
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if cuda:
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "mps":
        fast = False
    else:
        fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    bf16 = precision == "bf16" or (precision == "auto" and fast)
    return Hardware(
        torch.device("cuda" if cuda else "mps" if device == "mps" else "cpu"), torch.bfloat16 if bf16 else torch.float32
    )


def keep_memory() -> None:
    """Make glibc retain freed memory, which it otherwise returns to the system and requests again in every step.

    This saves a third of the time of a 256 px step on two cores. Does nothing except on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return
    m_trim_threshold, m_mmap_max = -1, -4  # malloc.h
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
