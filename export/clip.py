"""Reading video files through PyAV, which carries FFmpeg, and a camera through OpenCV."""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError, InvalidDataError
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from impasto.configs.errors import RequestError

_UNKNOWN = 2  # of a frame's colour space: not said in the file
_HD = 720  # px of height from which on BT.709 is meant where nothing is said, as players have it
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}  # by ISO/IEC 23091-2
_OWN = ("encoder", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id")  # of the old file
_MISSING = 0.5  # seconds that a container may promise and not hold
_FROM_ZERO = ("matroska,webm",)  # FFmpeg, which writes most of them, counts their duration from 0, not from their start
_BACK = 1  # second by which times must go back to begin anew: less is disorder
_CAMERA = 0  # the first one
_MILLISECONDS = Fraction(1, 1000)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Sound:
    """A packet of sound, as it lies in the file."""

    packet: Any


@dataclass(frozen=True)
class Frame:
    """A frame as it is seen, upright: `rgb` [H, W, 3], its time and how long it stays, in its source's time_base."""

    rgb: Pixels
    pts: int
    duration: int


class Timeline:
    """Brings a file whose times begin anew, as recordings put end to end do, onto one line that begins at 0.

    Times before 0 stay: there, encoders of sound put what players leave out.
    """

    def __init__(self, start: Fraction) -> None:
        self._starts = [-max(Fraction(0), start)]  # what is added to each part, in seconds
        self._parts: dict[int, int] = {}  # which of them a stream is in: streams change one after the other
        self._last: dict[int, Fraction] = {}
        self._reached = Fraction(0)

    def place(self, packet: Any) -> None:
        """Move a packet's times to where they belong."""
        stamp = packet.pts if packet.dts is None else packet.dts  # Matroska tells no dts of what comes first
        if stamp is None:
            return
        stream, base = packet.stream.index, packet.time_base
        part, time = self._parts.get(stream, 0), stamp * base
        if time < self._last.get(stream, time) - _BACK:
            part = self._parts[stream] = part + 1
            if part == len(self._starts):
                self._starts.append(self._reached - time)
        self._last[stream] = time
        shift = round(self._starts[part] / base)
        if packet.dts is not None:
            packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift
        self._reached = max(self._reached, (stamp + shift + (packet.duration or 0)) * base)


class Clip:
    """A video file; iterates over its frames and, as they lie between them, the packets of its sound."""

    def __init__(self, path: Path) -> None:
        self.name, self.broken, self._ended, self._damaged = str(path), "", 0.0, 0
        try:  # only files: a playlist that is called .mp4 opens nothing elsewhere
            self.container = av.open(f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"})
        except (FFmpegError, OSError) as error:
            raise RequestError(f"{path} {_fault(path, error)}") from error
        if not self.container.streams.video:
            self.container.close()
            raise RequestError(f"{path} holds no video; name a video, a photo or a folder of photos")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.sounds = [one for one in self.container.streams.audio if one.codec_context is not None]
        self.time_base = self.stream.time_base or _MILLISECONDS
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self.metadata = {key: text for key, text in self.container.metadata.items() if key not in _OWN}
        self.aspect = self.stream.sample_aspect_ratio
        self._promised, self._others = self._declared()
        self._parts = self._read()
        self._ahead: list[Any] = []  # what lies before the first frame, and that frame
        while not self._ahead or isinstance(self._ahead[-1], Sound):
            if (part := next(self._parts, None)) is None:
                self.container.close()
                raise RequestError(f"{path} holds no frame that can be read{self.broken and f': it {self.broken}'}")
            self._ahead.append(part)
        self._first = self._ahead[-1]
        self.rotation = self._first.rotation
        self.colour = {key: int(getattr(self._first, key)) for key in ("colorspace", "color_primaries", "color_trc")}
        self.matrix = _MATRICES.get(
            self.colour["colorspace"], Colorspace.ITU709 if self._first.height >= _HD else Colorspace.ITU601
        )
        if self.colour["colorspace"] not in (_UNKNOWN, *_MATRICES):  # RGB, above all, which we do not write
            self.colour["colorspace"] = int(self.matrix)
        self.shape = turned(np.empty((self._first.height, self._first.width)), self.rotation).shape
        try:
            self._seen(self._first)
        except (FFmpegError, OSError) as error:
            self.container.close()
            fault = f"{path} holds colours that cannot be turned into RGB: {reason(error)}"
            raise RequestError(f"{fault}; convert it to BT.709 with another program first") from error
        self.frames = self.stream.frames or round(self._promised * self.rate) or None

    def __enter__(self) -> "Clip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    def __iter__(self) -> Iterator[Sound | Frame]:
        last: int | None = None
        for part in chain(self._ahead, self._parts):
            if isinstance(part, Sound):
                yield part
                continue
            pts = part.pts if part.pts is not None else (last or 0)
            last = pts if last is None or pts > last else last + 1
            yield Frame(self._seen(part), last, part.duration or round(1 / self.rate / self.time_base))

    def _read(self) -> Iterator[Any]:
        """Packets of sound, and frames as they are stored."""
        start = Fraction(self.container.start_time or 0, av.time_base)
        timeline = Timeline(start)
        try:
            for packet in self.container.demux(self.stream, *self.sounds, *self._others):
                if packet.stream in self._others:
                    self._reach(packet, start)
                    continue
                timeline.place(packet)
                if packet.stream is self.stream:
                    parts = self._decoded(packet)
                else:
                    parts = [Sound(packet)] if packet.dts is not None else []
                for part in parts:
                    self._reach(part.packet if isinstance(part, Sound) else part)
                    self._damaged += not isinstance(part, Sound) and part.is_corrupt
                    yield part
        except (FFmpegError, OSError) as error:
            self.broken = f"is damaged ({reason(error)})"
        if self._damaged:  # the decoder filled in what is missing
            self.broken = f"is damaged in {self._damaged} frame{'' if self._damaged == 1 else 's'}"
        held = self._ended - min(0.0, float(start))  # what is above 0 the timeline has taken away
        if held < self._promised - _MISSING:
            self.broken = f"breaks off after {held:.1f} of {self._promised:.1f} seconds"

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()
        except FFmpegError as error:
            self.broken = f"is damaged ({reason(error)})"
            return []

    def _reach(self, part: Any, start: Fraction = Fraction(0)) -> None:
        if part.pts is not None and part.time_base is not None:
            self._ended = max(self._ended, float((part.pts + (part.duration or 0)) * part.time_base - max(0, start)))

    def _declared(self) -> tuple[float, list[Any]]:
        """The length in seconds that the file declares, and of which further tracks that is the length, too."""
        start, length = self.container.start_time or 0, self.container.duration or 0
        if self.container.format.name in _FROM_ZERO and 0 < start < length:
            length -= start
        read: list[Any] = [self.stream, *self.sounds]
        if all(one.duration for one in read):
            ends = [((one.start_time or 0) + one.duration) * one.time_base for one in read]
            return min(length / av.time_base, float(max(ends)) - start / av.time_base), []
        return length / av.time_base, [one for one in self.container.streams if one not in read]

    def _seen(self, frame: Any) -> Pixels:
        first = self._first
        if (frame.width, frame.height) != (first.width, first.height) or frame.colorspace == _UNKNOWN:
            frame = frame.reformat(first.width, first.height, "rgb24", src_colorspace=self.matrix)
        return np.ascontiguousarray(turned(frame.to_ndarray(format="rgb24"), self.rotation))


class Camera:
    """The first camera of this computer, until Ctrl-C."""

    name, frames, broken, rotation, aspect = "camera", None, "", 0, None
    time_base, rate, matrix = _MILLISECONDS, Fraction(30), Colorspace.ITU709
    colour = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}  # noqa: RUF012 - BT.709, never changed

    def __init__(self) -> None:
        self.sounds: list[Any] = []
        self.metadata: dict[str, str] = {}
        self._stopped = False
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # else a warning of its own
        self._camera = cv2.VideoCapture(_CAMERA)
        there, frame = self._camera.read()
        if not there:
            self._camera.release()
            raise RequestError("input=camera finds no camera on this computer; connect one, or name a file")
        self.shape = frame.shape[:2]

    def __enter__(self) -> "Camera":
        self._before = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        self._camera.release()

    def __iter__(self) -> Iterator[Sound | Frame]:
        started, last = time.monotonic(), -1
        while not self._stopped:
            there, frame = self._camera.read()
            if not there:
                return
            last = max(last + 1, round((time.monotonic() - started) / self.time_base))
            yield Frame(np.ascontiguousarray(frame[..., ::-1]), last, round(1 / self.rate / self.time_base))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def _fault(path: Path, error: Exception) -> str:
    """What is wrong with a file that FFmpeg does not open."""
    with suppress(OSError), path.open("rb") as file:
        if isinstance(error, InvalidDataError) and file.read(8)[4:] == b"ftyp":
            return "is cut short: the index of such a file comes last, and nothing can be read without it"
    return f"is no video that can be read: {reason(error)}"


def turned(picture: NDArray[Any], degrees: int) -> NDArray[Any]:
    """Turned counter-clockwise, in quarters, as the rotation of a video's frames is counted."""
    return np.rot90(picture, round(degrees / 90) % 4)


def reason(error: Exception) -> str:
    """What FFmpeg or the system says was wrong."""
    return str(getattr(error, "strerror", None) or error).lower()
