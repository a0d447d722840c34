"""Periodic patterns: a weave, a hatch, a grid, or marks in rows that neither the photo nor the painting has."""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.uint8]
Spectrum = NDArray[np.float64]

WINDOW = 512  # px; 128 px, the longest period, fits four times
MIN_SIDE = 64  # px
PEAK = 4.0  # times the surroundings in the spectrum; brush strokes and photos stay below it almost everywhere
PERIODS = 3  # in a window, at least: fewer are not a pattern
ANNULI = 8  # per octave
SURROUNDINGS = 0.75  # octaves to each side
# Rows: luminance, red-green, blue-yellow; orthonormal but for luminance, which is Rec. 601's
OPPONENT = np.array([[0.299, 0.587, 0.114], [2**-0.5, -(2**-0.5), 0], [6**-0.5, 6**-0.5, -2 * 6**-0.5]])
CHANNELS = ("luminance", "red-green", "blue-yellow")


@dataclass(frozen=True)
class Pattern:
    """The strongest periodic pattern of a picture.

    Attributes:
        channel: The channel that shows it: luminance, red-green or blue-yellow.
        period: Its period in px, 2..128; 0 without a pattern.
        amplitude: Its amplitude in levels of 255.
        fraction: Its share of the variance within half an octave around its period, 0..1.
    """

    channel: str
    period: float
    amplitude: float
    fraction: float

    def to_json(self) -> dict[str, str | float]:
        """Return the attributes."""
        return asdict(self)


@dataclass(frozen=True)
class _Spectra:
    """Spectra of a picture, [3, side, side]: mean variance, and logarithm over the surroundings."""

    power: Spectrum
    excess: Spectrum
    frequency: Spectrum


def pattern(picture: Pixels, photo: Pixels, painting: Pixels) -> Pattern:
    """Measure the strongest periodic pattern of a picture that its photo and its painting do not have.

    The picture is cut into half-overlapping windows of WINDOW px. The geometric mean of their power spectra keeps what
    all of them have in common. A pattern is what exceeds PEAK times its surroundings in that spectrum; brush strokes
    and natural photos vary in size, so they have no peaks. Frequencies at which the photo or the painting has a peak,
    too, do not count.

    Args:
        picture: RGB [H, W, 3], H and W >= MIN_SIDE.
        photo: Its photo, RGB [H, W, 3].
        painting: The painting at the size that is looked at, RGB [H, W, 3]; any size.

    Returns:
        The pattern with the largest share of its octave, over channels and frequencies.
    """
    side = WINDOW
    while side > min(*picture.shape[:2], *photo.shape[:2], *painting.shape[:2]):
        side //= 2
    spectra, *others = (_spectra(rgb, side) for rgb in (picture, photo, painting))
    best = Pattern(CHANNELS[0], 0.0, 0.0, 0.0)
    for index, channel in enumerate(CHANNELS):
        peaks = spectra.excess[index] > math.log(PEAK)
        for other in others:
            peaks &= ~ndimage.binary_dilation(other.excess[index] > math.log(PEAK), np.ones((3, 3)))
        if peaks.any():
            best = max(best, _strongest(spectra, index, channel, peaks), key=lambda found: found.fraction)
    return best


def _strongest(spectra: _Spectra, index: int, channel: str, peaks: NDArray[np.bool_]) -> Pattern:
    power, frequency = spectra.power[index], spectra.frequency
    position = np.argmax(np.where(peaks, spectra.excess[index], -np.inf))
    peak = frequency.flat[position]
    octave = (frequency > peak / math.sqrt(2)) & (frequency < peak * math.sqrt(2)) & (frequency <= 0.5)
    energy = power[octave & peaks].sum()
    return Pattern(
        channel,
        round(float(1 / peak), 2),
        round(float(math.sqrt(2 * energy)), 3),
        round(float(energy / power[octave].sum()), 4),
    )


def _spectra(rgb: Pixels, side: int) -> _Spectra:
    planes = np.einsum("cr,hwr->chw", OPPONENT, rgb.astype(np.float64))
    hann = np.hanning(side + 1)[:side]
    window = hann[:, None] * hann
    window /= math.sqrt((window**2).mean())
    power = np.zeros((3, side, side))
    logarithm = np.zeros((3, side, side))
    count = 0
    for top in range(0, rgb.shape[0] - side + 1, side // 2):
        for left in range(0, rgb.shape[1] - side + 1, side // 2):
            block = planes[:, top : top + side, left : left + side]
            block = (block - block.mean((1, 2), keepdims=True)) * window
            spectrum = np.abs(np.fft.fft2(block)) ** 2 / side**4  # sums to the variance
            power += spectrum
            logarithm += np.log(spectrum / max(spectrum.sum(), 1e-3) + 1e-12)
            count += 1
    axis = np.fft.fftfreq(side)
    frequency = np.hypot(axis[:, None], axis)
    mean = np.exp(logarithm / count)
    excess = np.stack([_excess(plane, frequency) for plane in mean])
    return _Spectra(power / count, excess, frequency)


def _excess(power: Spectrum, frequency: Spectrum) -> Spectrum:
    """The logarithm of a spectrum minus that of its surroundings; -inf below three periods in a window.

    The surroundings of a frequency are the median of the annuli within SURROUNDINGS octaves. A pattern occupies few of
    them. Strokes of one size, which vary, occupy an octave and more, so that the median follows them.
    """
    smoothed = np.log(ndimage.uniform_filter(power, 3, mode="wrap") + 1e-15)
    valid = (frequency >= PERIODS / len(frequency)) & (frequency <= 0.5)
    position = ANNULI * np.log2(np.where(valid, frequency, 1) * len(frequency) / PERIODS)
    annulus = np.where(valid, np.rint(position).astype(int), -1)
    numbers = np.unique(annulus[valid])  # near the origin some annuli have no frequency
    profile = np.array([smoothed[annulus == number].mean() for number in numbers])
    reach = ANNULI * SURROUNDINGS
    background = [np.median(profile[abs(numbers - number) <= reach]) for number in numbers]
    excess = np.full(power.shape, -np.inf)
    excess[valid] = smoothed[valid] - np.interp(position[valid], numbers, background)
    return excess
