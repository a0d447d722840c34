"""Parity: the difference between an exported file's image and the reference image, and whether it is allowed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impasto.configs.errors import CheckFailed
from impasto.export.contract import Tolerance
from impasto.export.test_images import GoldenImage, Pixels
from impasto.models.typed_json import TypedJson


@dataclass(frozen=True)
class ParityResult(TypedJson):
    """The difference of one image of one file in one runtime from its reference."""

    file: str
    """The model, by its path in the bundle."""
    runtime: str
    """The name and version of the runtime."""
    picture: str
    """The image, by its size: WIDTHxHEIGHT; of a store, also its style, or `blend`."""
    reference: str
    """What computed the reference image: `PyTorch`, or a file of the bundle."""
    max_difference: int
    """The largest difference of a byte, 0..255."""
    mean_difference: float
    """The mean difference of a byte, 0..255."""
    differing: float
    """The fraction of bytes that differ, 0..1."""
    psnr: float | None
    """In dB, over all bytes; null where no byte differs."""
    tolerance: Tolerance

    def failure(self) -> str | None:
        """Return the first part of an error's sentence where the difference exceeds the tolerance."""
        what = f"{self.file} in {self.runtime} differs from {self.reference} at {self.picture}"
        limit, least = self.tolerance.max_difference, self.tolerance.min_psnr
        if limit is not None and self.max_difference > limit:
            return f"{what} by up to {self.max_difference} of 255, more than {limit}"
        if least is not None and self.psnr is not None and self.psnr < least:
            return f"{what} by a PSNR of {self.psnr:.1f} dB, less than {least:g} dB"
        return None


def compare(
    golden: GoldenImage, output: Pixels, file: str, runtime: str, tolerance: Tolerance, reference: str = "PyTorch"
) -> ParityResult:
    """Compare the output of a file in a runtime, RGBA or RGB bytes [H, W, 3 or 4], with a golden image.

    Raises:
        CheckFailed: The size or the alpha differs, which no tolerance allows.
    """
    if output.shape[:2] != golden.stylized.shape[:2]:
        size = f"{output.shape[1]}x{output.shape[0]}"
        raise CheckFailed(f"{file} in {runtime} turns an image of {golden.name} into one of {size}")
    if output.shape[-1] == 4 and not np.array_equal(output[..., 3], golden.stylized[..., 3]):
        raise CheckFailed(f"{file} in {runtime} changes the alpha of the image of {golden.name}")
    expected = golden.stylized[..., : output.shape[-1]]
    difference = np.abs(expected.astype(np.int16) - output)
    mse = float((difference.astype(np.float64) ** 2).mean())
    return ParityResult(
        *(file, runtime, golden.title, reference),
        max_difference=int(difference.max()),
        mean_difference=round(float(difference.mean(dtype=np.float64)), 6),
        differing=round(float((difference > 0).mean()), 6),
        psnr=round(10 * math.log10(255**2 / mse), 2) if mse else None,
        tolerance=tolerance,
    )


def assert_within_tolerance(results: Sequence[ParityResult]) -> None:
    """Raise CheckFailed for the first result that exceeds its tolerance."""
    for result in results:
        if (failure := result.failure()) is not None:
            raise CheckFailed(failure)


def worst(results: Sequence[ParityResult]) -> list[ParityResult]:
    """Return for each file and runtime the result that is closest to its tolerance."""
    selected: dict[tuple[str, str], ParityResult] = {}
    for result in results:
        key = result.file, result.runtime
        if key not in selected or _error(result) > _error(selected[key]):
            selected[key] = result
    return [*selected.values()]


def _error(result: ParityResult) -> float:
    if result.tolerance.max_difference is not None:
        return result.max_difference
    return -(math.inf if result.psnr is None else result.psnr)
