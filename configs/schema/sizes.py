"""Image sizes as a user writes them: N or WIDTHxHEIGHT."""

import re
from collections.abc import Sequence


def parse_size(size: int | str) -> tuple[int, int] | None:
    """(height, width) of one size, None if it is not a size."""
    sides = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", str(size), re.ASCII)
    return (int(sides[2] or sides[1]), int(sides[1])) if sides else None


def shapes(sizes: Sequence[int | str]) -> list[tuple[int, int]]:
    """Sizes as (height, width)."""
    return [shape for size in sizes if (shape := parse_size(size)) is not None]
