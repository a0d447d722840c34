"""Where to compute, and in which precision."""

import ctypes
import sys
from dataclasses import dataclass

import torch

from impasto.configs.errors import RequestError


@dataclass(frozen=True)
class Hardware:
    """A device, and the type that convolutions are computed in."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """The context in which a network runs in this precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def choose(device: str, precision: str) -> Hardware:
    """Settle `auto`: a GPU if there is one; bf16 where it is known to be faster: on tensor cores, AMX and AVX512-BF16.

    On two AMX cores bf16 in channels-last memory trains over 3x faster than float32, on two of AVX512-BF16 1.8x. Raises
    RequestError for device=cuda without one.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError("device=cuda is not at hand: torch sees no GPU; choose device=cpu or auto")
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if cuda:
        gains = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        gains = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    bf16 = precision == "bf16" or (precision == "auto" and gains)
    return Hardware(torch.device("cuda" if cuda else "cpu"), torch.bfloat16 if bf16 else torch.float32)


def keep_memory() -> None:
    """Have glibc keep freed memory, which it else gives back and takes again, page by page, in every step.

    A third of the time of a 256 px step on two cores. Does nothing elsewhere than on Linux with glibc.
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
