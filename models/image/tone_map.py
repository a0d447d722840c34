"""HDR to SDR: HLG and PQ signals to BT.709.

The reference white of HDR (203 cd/m2, ITU-R BT.2408) becomes white, as phones play HDR videos beside SDR ones. Brighter
light is compressed above the knee instead of being clipped.
"""

import numpy as np
from numpy.typing import NDArray

from impasto.models.image.primaries import BT709, BT2020, Primaries

PQ, HLG = 16, 18  # transfer characteristics, by ISO/IEC 23091-2
_STEPS = 8191  # of the table from light to SDR
_WHITE, _PEAK = 203.0, 1000.0  # cd/m2: reference white, and the peak of an HLG display with a system gamma of 1.2
_KNEE = 0.9  # of the brightest channel, linear; below it nothing is compressed

Floats = NDArray[np.float64]


class ToneMap:
    """Maps HDR frames and photos to SDR.

    Args:
        transfer: PQ or HLG.
        primaries: The primaries of the signal.
    """

    def __init__(self, transfer: int, primaries: Primaries = BT2020) -> None:
        to_xyz = primaries.to_xyz(BT709.white)
        self._to_bt709 = np.linalg.solve(BT709.to_xyz(), to_xyz).astype(np.float32)
        self._luminance = to_xyz[1].astype(np.float32)
        signal = np.linspace(0, 1, 256)
        self._light = (_pq(signal) if transfer == PQ else _hlg(signal)).astype(np.float32) / np.float32(_WHITE)
        self._has_system_gamma = transfer == HLG
        self._encoded = np.rint(255 * _gamma(np.linspace(0, 1, _STEPS + 1))).astype(np.uint8)

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map a frame [H, W, 3] of the HDR signal to BT.709."""
        light = self._light[rgb]
        if self._has_system_gamma:
            light *= ((light @ self._luminance) * np.float32(_WHITE / _PEAK))[..., None] ** np.float32(0.2)
        light = _compress(np.maximum(light @ self._to_bt709.T, 0))
        return self._encoded[np.rint(light * _STEPS).astype(np.uint16)]


def _hlg(signal: Floats) -> Floats:
    """Return the scene light, relative to a display of _PEAK cd/m2, of an HLG signal (ITU-R BT.2100, table 5).

    The light of the display is this times the relative luminance to the power 0.2, for a system gamma of 1.2.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return _PEAK * np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _pq(signal: Floats) -> Floats:
    """Return the display light in cd/m2 of a PQ signal (ITU-R BT.2100, table 4)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = signal ** (1 / m2)
    return 10_000 * (np.clip(power - c1, 0, None) / (c2 - c3 * power)) ** (1 / m1)


def _compress(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map 0.._PEAK to 0..1 with all channels by one factor, which preserves the hue; 1 is reference white.

    Above the knee the brightest channel follows a hyperbola that joins it with slope 1 and reaches 1 at _PEAK.
    """
    brightest = light.max(-1, keepdims=True)
    excess = np.maximum(brightest - np.float32(_KNEE), 0)
    room, most = 1 - _KNEE, _PEAK / _WHITE - _KNEE
    stretch = np.float32(room * most / (most - room))
    compressed = brightest - excess + stretch * excess / (stretch + excess)
    return np.minimum(light * (compressed / np.maximum(brightest, np.float32(1e-9))), 1)


def _gamma(light: Floats) -> Floats:
    """Encode display light for a BT.709 display, as sRGB pictures are: networks were trained on those."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
