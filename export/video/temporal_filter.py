"""Reduce flicker: blend each stylized frame with the previous one, warped by the optical flow of the video."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 360  # px; short side of the frames for which flow is computed
_MIN_SIDE = 32  # px; OpenCV 5.0's flow reads out of bounds on smaller frames, and the process crashes
_NOISE = 12.0  # levels; two smoothed frames that differ by more show different things
_STILL = 0.25  # px at _SIDE; less counts as no motion, since warping by a fraction of a pixel blurs
_MAX_INCONSISTENCY = 1.0  # px at _SIDE between a pixel and its position after forward and backward flow; more: occluded

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class TemporalFilter:
    """A recursive filter over stylized frames, along the motion of the video.

        y_t = x_t + amount * c * (warp(y_(t-1)) - x_t)

    x is a stylized frame, y the output and c the confidence, 0..1, that both frames show the same thing. The flow is
    dense inverse search (Kroeger et al. 2016) between the frames of the video, since the stylized ones flicker.

    Args:
        amount: 0..1.
    """

    def __init__(self, amount: float) -> None:
        self.amount = amount
        self._flow = cast(Any, cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST))  # its stubs refuse None
        self._previous: tuple[Pixels, Pixels, Pixels] | None = None  # reduced frame, stylized, output
        self._sums = np.zeros(3)  # change before, change after, number of frames
        cv2.setNumThreads(1)  # the other cores run the network

    def __call__(self, photo: Pixels, stylized: Pixels) -> Pixels:
        """Filter the next frame.

        Args:
            photo: The frame of the video, RGB [H, W, 3].
            stylized: The stylized frame, RGB [H, W, 3].

        Returns:
            The frame to show, RGB [H, W, 3].
        """
        reduced = _reduce(photo)
        output = stylized
        if self._previous is not None and self._previous[1].shape == stylized.shape:
            last_reduced, last_stylized, last_output = self._previous
            flow, confidence = self._motion(reduced, last_reduced)
            height, width = stylized.shape[:2]
            weight = cv2.resize(confidence, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
            positions = _source_positions(flow, height, width)
            warped = _warp(last_output, positions).astype(np.float32)
            output = np.rint(stylized + (warped - stylized) * (self.amount * weight)).clip(0, 255).astype(np.uint8)
            self._measure(weight > 0.5, stylized, _warp(last_stylized, positions), output, warped)
        self._previous = reduced, stylized, output
        return output

    @property
    def measured(self) -> bool:
        """Whether any frame showed something that the previous frame showed."""
        return bool(self._sums[2])

    def flicker(self) -> tuple[float, float]:
        """Return the mean absolute change along the motion, in levels of 255, before and after filtering.

        Both are 0 where nothing was measured.
        """
        before, after, frames = self._sums
        return (float(before / frames), float(after / frames)) if frames else (0.0, 0.0)

    def _motion(self, reduced: Pixels, last: Pixels) -> tuple[Floats, Floats]:
        """Return the flow to the previous frame, relative to each pixel, and its confidence, 0..1."""
        now, then = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (reduced, last))
        flow = self._flow.calc(now, then, None)
        backward = self._flow.calc(then, now, None)
        flow[np.abs(flow).max(axis=2) < _STILL] = 0
        height, width = now.shape
        positions = _source_positions(flow, height, width)
        inconsistency = np.linalg.norm(flow + cv2.remap(backward, *positions, cv2.INTER_LINEAR), axis=2)
        change = np.abs(reduced.astype(np.float32) - _warp(last, positions)).mean(axis=2)
        confidence = np.exp(-np.square(cv2.blur(change, (5, 5)) / _NOISE)) * (inconsistency < _MAX_INCONSISTENCY)
        across, down = positions
        confidence *= (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
        confidence = cv2.blur(cv2.erode(confidence.astype(np.float32), np.ones((3, 3))), (3, 3))
        return flow, np.asarray(confidence, np.float32)

    def _measure(self, same: NDArray[np.bool_], stylized: Pixels, last: Pixels, output: Pixels, warped: Floats) -> None:
        if not same.any():
            return
        pairs = (stylized, last), (output, warped)
        levels = [np.abs(one.astype(np.float32) - other).mean(axis=2)[same[..., 0]].mean() for one, other in pairs]
        self._sums += [*levels, 1]


def _reduce(photo: Pixels) -> Pixels:
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE / min(height, width))
    size = max(_MIN_SIDE, round(width * scale)), max(_MIN_SIDE, round(height * scale))
    return np.asarray(cv2.GaussianBlur(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0), np.uint8)


def _source_positions(flow: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Return the column and row [H, W] that each pixel comes from; the flow may have another size."""
    flow_height, flow_width = flow.shape[:2]
    scaled = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.indices((height, width), np.float32)
    across = columns + scaled[..., 0] * np.float32(width / flow_width)
    return across, rows + scaled[..., 1] * np.float32(height / flow_height)


def _warp(picture: Pixels, positions: tuple[Floats, Floats]) -> Pixels:
    warped = cv2.remap(picture, *positions, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
