"""Parity: how far the picture of an exported file is from the network's, and how far it may be."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from impasto.configs.errors import CheckError
from impasto.export.golden import Golden, Pixels


@dataclass(frozen=True)
class Bound:
    """What a file is held to: the largest difference of a byte, or a PSNR in dB."""

    largest: int | None = None
    psnr: float | None = None

    def facts(self) -> dict[str, float]:
        """As JSON: the one that is set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return f"at most {self.largest}" if self.largest is not None else f"{self.psnr:g} dB or more"


@dataclass(frozen=True)
class Row:
    """The differences of one picture: the largest and the mean one, in 0..255, the share of bytes that differ, PSNR.

    `psnr` is in dB, None where nothing differs. `reference` is what the picture was compared with.
    """

    file: str
    runtime: str
    picture: str
    reference: str
    largest: int
    mean: float
    share: float
    psnr: float | None
    bound: Bound

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"bound": self.bound.facts()}

    def failure(self) -> str | None:
        """What is wrong, if the difference is larger than the bound allows: the first part of a sentence."""
        what = f"{self.file} in {self.runtime} differs from {self.reference} at {self.picture}"
        if self.bound.largest is not None and self.largest > self.bound.largest:
            return f"{what} by up to {self.largest} of 255, more than {self.bound.largest}"
        if self.bound.psnr is not None and self.psnr is not None and self.psnr < self.bound.psnr:
            return f"{what} by a PSNR of {self.psnr:.1f} dB, less than {self.bound.psnr:g} dB"
        return None


def compare(golden: Golden, found: Pixels, file: str, runtime: str, bound: Bound, reference: str = "PyTorch") -> Row:
    """Hold what a file in a runtime makes of a golden picture, RGBA or RGB bytes [H, W, 3 or 4], against it.

    Raises CheckError where the size or the alpha is another, which no bound allows.
    """
    if found.shape[:2] != golden.stylized.shape[:2]:
        size = f"{found.shape[1]}x{found.shape[0]}"
        raise CheckError(f"{file} in {runtime} turns a picture of {golden.name} into one of {size}")
    if found.shape[-1] == 4 and not np.array_equal(found[..., 3], golden.stylized[..., 3]):
        raise CheckError(f"{file} in {runtime} changes the alpha of the picture of {golden.name}")
    expected = golden.stylized[..., : found.shape[-1]]
    difference = np.abs(expected.astype(np.int16) - found)
    square = float((difference.astype(np.float64) ** 2).mean())
    return Row(
        *(file, runtime, golden.name, reference),
        largest=int(difference.max()),
        mean=round(float(difference.mean(dtype=np.float64)), 6),
        share=round(float((difference > 0).mean()), 6),
        psnr=round(10 * math.log10(255**2 / square), 2) if square else None,
        bound=bound,
    )


def worst(rows: Sequence[Row]) -> list[Row]:
    """Of each file in each runtime, the row that is nearest to its bound."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.file, row.runtime
        if key not in found or _distance(row) > _distance(found[key]):
            found[key] = row
    return [*found.values()]


def _distance(row: Row) -> float:
    return row.largest if row.bound.largest is not None else -(math.inf if row.psnr is None else row.psnr)
