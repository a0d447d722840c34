"""Parity: an ONNX file in ONNX Runtime against its network in PyTorch, byte by byte."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.configs.errors import CheckError
from impasto.configs.shipping import OnnxConfig
from impasto.export.label import INPUT, OUTPUT
from impasto.models import exported, networks
from impasto.models.pictures import Picture

# (height, width): multiples of 4, odd ones, the smallest height there is, portrait, landscape
SIZES = ((256, 256), (131, 217), (16, 90), (302, 175), (64, 96))


@dataclass(frozen=True)
class Row:
    """The differences at one size: the largest and the mean one, in 0..255, and the share of bytes that differ."""

    height: int
    width: int
    largest: int
    mean: float
    share: float


def check(
    path: Path, network: networks.Transformer, onnx: OnnxConfig, sizes: Sequence[tuple[int, int]] = SIZES
) -> list[Row]:
    """Compare the file at `path` with its network at each of `sizes`, each side from 16 on.

    Raises CheckError where a byte differs by more than onnx.tolerance, alpha at all, or the network gives no numbers.
    """
    run = _pixels(path) if onnx.io == "pixels" else _floats(path)
    rows = []
    for height, width in sizes:
        rgb = picture(height, width)
        with torch.inference_mode():
            stylized = networks.stylize(network, torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
        if not stylized.isfinite().all():
            raise CheckError(f"the network gives values that are no numbers at {width}x{height}; train it again")
        expected = stylized[0].permute(1, 2, 0).round().clamp(0, 255).numpy()
        difference = np.abs(expected - run(rgb))
        figures = int(difference.max()), float(difference.mean(dtype=np.float64)), float((difference > 0).mean())
        row = Row(height, width, *figures)
        if row.largest > onnx.tolerance:
            raise CheckError(
                f"{path.name} differs from PyTorch by up to {row.largest} of 255 at {width}x{height}, more than "
                f"onnx.tolerance={onnx.tolerance} allows; keep to the tested versions of torch and onnxruntime"
            )
        rows.append(row)
    return rows


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """A picture [H, W, 3] with what photos have: gradients, edges, texture, noise, and saturated and flat regions.

    The same for the same size.
    """
    random = np.random.default_rng([height, width])
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    waves = [
        np.sin(2 * np.pi * (a * x + b * y + phase)) * np.cos(np.pi * (b * x - a * y))
        for a, b, phase in random.uniform(0.5, 6, (3, 3))
    ]
    values = 128 + 90 * np.stack(waves, axis=-1) + 40 * (x - y)[..., None]
    values += random.normal(0, 12, values.shape) * (x > 0.5)[..., None]
    values[np.hypot(x - 0.3, y - 0.4) < 0.2] = random.uniform(0, 255, 3)  # flat
    values[(y > 0.75) & (x < 0.35)] = 255
    values[(y > 0.75) & (x > 0.65)] = 0
    values[(y < 0.2) & (x > 0.7)] = (255, 0, 20)
    return np.clip(values, 0, 255).astype(np.uint8)


def _pixels(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    session = exported.load(path)

    def run(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        alpha = np.random.default_rng(0).integers(0, 256, rgb.shape[:2], np.uint8)
        stylized = exported.stylize(session, Picture(rgb, alpha))
        if stylized.alpha is None or not np.array_equal(stylized.alpha, alpha):
            raise CheckError(
                f"{path.name} changes the alpha of a picture; this is a fault of impasto, please report it"
            )
        return stylized.rgb.astype(np.float32)

    return run


def _floats(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    import onnxruntime  # here, since the room above must set the environment first

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32)
        (stylized,) = session.run([OUTPUT], {INPUT: image})
        result: NDArray[np.float32] = np.clip(np.rint(stylized[0].transpose(1, 2, 0)), 0, 255)
        return result

    return run
