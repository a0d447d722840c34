"""Receptive fields: which pixels a value depends on. VGG's layers and ONNX graphs are computed with the same steps."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self


@dataclass(frozen=True)
class Field:
    """Row i of a value depends on pixel rows `first + i * step` to `last + i * step`; so do columns.

    Borders are ignored: padding depends on pixels that are no further away.
    """

    step: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)

    def extend(self, first: Fraction | int, last: Fraction | int) -> Self:
        """Extend to the rows from `first` to `last` of this value, relative to its own row."""
        return replace(self, first=self.first + first * self.step, last=self.last + last * self.step)

    def window(self, kernel: int, stride: int = 1, padding: int = 0) -> Self:
        """Return the field of a convolution or pooling of this value."""
        return self.extend(-padding, kernel - 1 - padding).strided(stride)

    def strided(self, stride: Fraction | int) -> Self:
        """Return the field where only every `stride`-th row remains; a fraction for more rows."""
        return replace(self, step=self.step * stride)

    def margin(self, step: Fraction | int = 1) -> int:
        """Return how many px around a tile its values depend on.

        Args:
            step: The step of the values where the field starts, which is 1 for pixels.
        """
        return math.ceil(max(-self.first, self.last - self.step + step))
