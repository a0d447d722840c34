"""Read a camera with OpenCV."""

import signal
import time
from collections.abc import Iterator
from fractions import Fraction
from types import FrameType, TracebackType
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import Colorspace

from impasto.configs.errors import UsageError
from impasto.export.video.reader import MILLISECONDS, AudioPacket, Frame

_CAMERA = 0  # the first camera


class Camera:
    """Iterates over the frames of the first camera until Ctrl-C."""

    name, frames, damage, rotation, aspect = "camera", None, "", 0, None
    time_base, rate, matrix = MILLISECONDS, Fraction(30), Colorspace.ITU709
    color = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}  # noqa: RUF012 - BT.709, never changed

    def __init__(self) -> None:
        self.audio: list[Any] = []
        self.metadata: dict[str, str] = {}
        self._stopped = False
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # else OpenCV prints a warning
        self._camera = cv2.VideoCapture(_CAMERA)
        success, frame = self._camera.read()
        if not success:
            self._camera.release()
            raise UsageError("input=camera: no camera was found; connect one or name a file")
        self.shape = frame.shape[:2]

    def __enter__(self) -> "Camera":
        self._handler = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._handler)
        self._camera.release()

    def __iter__(self) -> Iterator[AudioPacket | Frame]:
        started, last = time.monotonic(), -1
        while not self._stopped:
            success, frame = self._camera.read()
            if not success:
                return
            last = max(last + 1, round((time.monotonic() - started) / self.time_base))
            yield Frame(np.ascontiguousarray(frame[..., ::-1]), last, round(1 / self.rate / self.time_base))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True
