"""Primaries of RGB color spaces, and their matrices to CIE XYZ."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# From XYZ to the responses of the eye's cones (ICC.1:2022, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Chromaticity = tuple[float, float]
Floats = NDArray[np.float64]

D65, D50, C, DCI = (0.3127, 0.3290), (0.3457, 0.3585), (0.310, 0.316), (0.314, 0.351)


class Primaries(NamedTuple):
    """Chromaticities x, y (CIE 1931) of an RGB color space."""

    white: Chromaticity
    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity

    @property
    def is_valid(self) -> bool:
        """Whether these are chromaticities, and the white is a mixture of the three colors."""
        if self.white[1] <= 0 or any(min(x, y) < 0 or x + y > 1 for x, y in self):
            return False
        colors = self._colors()
        return abs(float(np.linalg.det(colors))) > 1e-6 and float(self._weights(colors).min()) > 0

    def is_close_to(self, other: "Primaries", tolerance: float) -> bool:
        """Whether no coordinate differs by more than `tolerance`."""
        return bool(np.abs(np.subtract(self, other)).max() <= tolerance)

    def to_xyz(self, white: Chromaticity | None = None) -> Floats:
        """Return the matrix [3, 3] from linear RGB to XYZ, in which RGB (1, 1, 1) has Y = 1.

        Args:
            white: Adapts the colors to another white, as seen by the eye (Bradford).
        """
        colors = self._colors()
        matrix = colors * self._weights(colors)
        if white is None or white == self.white:
            return matrix
        cones = _BRADFORD @ np.stack([_xyz(self.white), _xyz(white)], axis=1)
        adaptation = np.linalg.solve(_BRADFORD, (cones[:, 1] / cones[:, 0])[:, None] * _BRADFORD)
        return np.asarray(adaptation @ matrix)

    def _colors(self) -> Floats:
        return np.array([(x, y, 1 - x - y) for x, y in self[1:]]).T

    def _weights(self, colors: Floats) -> Floats:
        return np.asarray(np.linalg.solve(colors, _xyz(self.white)), np.float64)


def _xyz(white: Chromaticity) -> Floats:
    x, y = white
    return np.array([x / y, 1, (1 - x - y) / y])


BT709 = Primaries(D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))  # sRGB's, too
BT2020 = Primaries(D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
ADOBE_RGB = Primaries(D65, (0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
_SMPTE170M = Primaries(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))

BY_CODE = {  # ITU-T H.273, table 2
    1: BT709,
    4: Primaries(C, (0.670, 0.330), (0.210, 0.710), (0.140, 0.080)),
    5: Primaries(D65, (0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: _SMPTE170M,
    7: _SMPTE170M,
    8: Primaries(C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: BT2020,
    11: Primaries(DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: Primaries(D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
    22: Primaries(D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
