"""Less flicker: each painted frame is mixed with the one before, moved along with what moved in the video."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 360  # px of the short side at which motion is looked for
_LEAST = 32  # px of either side: in less, OpenCV 5.0's search reads beyond the picture, and the process dies
_NOISE = 12.0  # levels between two frames, smoothed, from which on it is no longer the same thing that is seen
_STILL = 0.25  # px at that size: less is no motion, and to move a picture by a part of a pixel blurs it
_ASTRAY = 1.0  # px at that size between a pixel and where it comes to, forth and back: more, and it was hidden

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Steady:
    """Mixes `amount` (0..1) of the past into each frame where the video shows the same thing.

    Motion is the dense inverse search of Kroeger et al. 2016, between the frames of the video itself: the painted ones
    flicker.
    """

    def __init__(self, amount: float) -> None:
        self.amount = amount
        self._search = cast(Any, cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST))  # it takes None for a flow
        self._before: tuple[Pixels, Pixels, Pixels] | None = None  # small, painted, mixed
        self._sums = np.zeros(3)
        cv2.setNumThreads(1)  # the cores paint

    def __call__(self, photo: Pixels, painted: Pixels) -> Pixels:
        """The next frame of the video and its painted picture, both [H, W, 3]; gives what is to be shown."""
        small = _small(photo)
        mixed = painted
        if self._before is not None and self._before[1].shape == painted.shape:
            last, last_painted, last_mixed = self._before
            flow, sure = self._motion(small, last)
            height, width = painted.shape[:2]
            weight = cv2.resize(sure, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
            places = _places(flow, height, width)
            moved = _moved(last_mixed, places).astype(np.float32)
            mixed = np.rint(painted + (moved - painted) * (self.amount * weight)).clip(0, 255).astype(np.uint8)
            self._count(weight > 0.5, painted, _moved(last_painted, places), mixed, moved)
        self._before = small, painted, mixed
        return mixed

    @property
    def measured(self) -> bool:
        """Whether any frame showed something that the one before it showed."""
        return bool(self._sums[2])

    def flicker(self) -> tuple[float, float]:
        """How far a pixel is from the same thing a frame before, before and after mixing: levels of 255, the mean.

        Nothing `measured` is 0.
        """
        before, after, seen = self._sums
        return (float(before / seen), float(after / seen)) if seen else (0.0, 0.0)

    def _motion(self, small: Pixels, last: Pixels) -> tuple[Floats, Floats]:
        """Where each pixel was in the frame before, relative to where it is, and how sure that is (0..1)."""
        now, then = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (small, last))
        flow = self._search.calc(now, then, None)
        back = self._search.calc(then, now, None)
        flow[np.abs(flow).max(axis=2) < _STILL] = 0
        height, width = now.shape
        places = _places(flow, height, width)
        astray = np.linalg.norm(flow + cv2.remap(back, *places, cv2.INTER_LINEAR), axis=2)
        change = np.abs(small.astype(np.float32) - _moved(last, places)).mean(axis=2)
        sure = np.exp(-np.square(cv2.blur(change, (5, 5)) / _NOISE)) * (astray < _ASTRAY)
        across, down = places
        sure *= (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
        sure = cv2.blur(cv2.erode(sure.astype(np.float32), np.ones((3, 3))), (3, 3))
        return flow, np.asarray(sure, np.float32)

    def _count(self, same: NDArray[np.bool_], painted: Pixels, last: Pixels, mixed: Pixels, moved: Floats) -> None:
        if not same.any():
            return
        pairs = (painted, last), (mixed, moved)
        levels = [np.abs(one.astype(np.float32) - other).mean(axis=2)[same[..., 0]].mean() for one, other in pairs]
        self._sums += [*levels, 1]


def _small(photo: Pixels) -> Pixels:
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE / min(height, width))
    size = max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale))
    return np.asarray(cv2.GaussianBlur(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0), np.uint8)


def _places(flow: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Column and row [H, W] to take each pixel from, for motion at another size."""
    high, wide = flow.shape[:2]
    scaled = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    down, across = np.indices((height, width), np.float32)
    return across + scaled[..., 0] * np.float32(width / wide), down + scaled[..., 1] * np.float32(height / high)


def _moved(picture: Pixels, places: tuple[Floats, Floats]) -> Pixels:
    moved = cv2.remap(picture, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
