"""The peak throughput of a device, and the floating-point operations of a training step."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from impasto.models.vgg import features

SECONDS = 1.0  # of each trial


def wait(device: torch.device) -> None:
    """Block until the device has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the highest FLOP/s of a large matrix product and of convolutions such as VGG's, in this type."""
    side = 8192 if device.type == "cuda" else 2048
    matrix = torch.randn(side, side, device=device, dtype=dtype)
    best = _rate(lambda: matrix @ matrix, 2 * side**3, device)
    for channels, pixels in ((64, 256), (256, 64), (512, 32)):
        batch = torch.randn(8, channels, pixels, pixels, device=device, dtype=dtype)
        batch = batch.to(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
        weight = weight.to(memory_format=torch.channels_last)
        operations = 2 * 9 * channels**2 * batch[:, 0].numel()
        best = max(best, _rate(lambda b=batch, w=weight: F.conv2d(b, w, padding=1), operations, device))  # type: ignore[misc]
    return best


def operations(step: Callable[[], object]) -> int:
    """Return the floating-point operations of a step: those of its convolutions and matrix products."""
    fused, features.FUSED = features.FUSED, False  # the counter does not support oneDNN's own convolution
    try:
        with FlopCounterMode(display=False) as counter:
            step()
    finally:
        features.FUSED = fused
    return counter.get_total_flops()


@torch.no_grad()
def _rate(work: Callable[[], object], operations: int, device: torch.device) -> float:
    work()
    wait(device)
    best, until = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        work()
        wait(device)
        best = max(best, operations / (time.perf_counter() - started))
    return best
