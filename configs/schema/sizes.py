"""Image sizes as a user writes them: N or WIDTHxHEIGHT."""

import re
from collections.abc import Sequence

from impasto.configs.errors import UsageError


def parse_size(size: int | str) -> tuple[int, int] | None:
    """(height, width) of one size, None if it is not a size."""
    sides = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", str(size), re.ASCII)
    return (int(sides[2] or sides[1]), int(sides[1])) if sides else None


def shapes(sizes: Sequence[int | str]) -> list[tuple[int, int]]:
    """Sizes as (height, width)."""
    return [shape for size in sizes if (shape := parse_size(size)) is not None]


def require_multiples(key: str, sizes: Sequence[tuple[int, int]], stride: int) -> None:
    """Raise UsageError for a size that is not a multiple of a network's stride: a file of that size would pad it."""
    for height, width in sizes:
        if height % stride or width % stride:
            raise UsageError(
                f"{key}: {width}x{height} would need padding, which a file of a fixed size has not; choose multiples "
                f"of {stride} for this network"
            )
