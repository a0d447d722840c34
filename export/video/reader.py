"""Read video files with PyAV (FFmpeg), and a camera with OpenCV."""

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

from impasto.configs.errors import UsageError

_UNKNOWN = 2  # a frame's colorspace where the file does not specify it
_HD = 720  # px; from this height on players assume BT.709 for unspecified colors
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}  # by ISO/IEC 23091-2
# Metadata that describe the source file, not the video.
_FILE_METADATA = ("encoder", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id")
_MISSING = 0.5  # seconds; a file may be shorter than its header declares by this much
_FROM_ZERO = ("matroska,webm",)  # FFmpeg, which writes most of them, measures their duration from 0, not from the start
_RESTART = 1  # seconds by which times must decrease for a new recording to begin; less is disorder
_CAMERA = 0  # the first camera
_MILLISECONDS = Fraction(1, 1000)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class AudioPacket:
    """A packet of audio as stored in the file."""

    packet: Any


@dataclass(frozen=True)
class Frame:
    """An upright frame: `rgb` [H, W, 3], its time and duration in its source's time_base."""

    rgb: Pixels
    pts: int
    duration: int


class Timeline:
    """Maps the times of concatenated recordings, which restart, to one timeline that begins at 0.

    Times before 0 are preserved: audio encoders put there what players skip.
    """

    def __init__(self, start: Fraction) -> None:
        self._offsets = [-max(Fraction(0), start)]  # of each recording, in seconds
        self._recordings: dict[int, int] = {}  # the current recording of each stream; they change one after the other
        self._last: dict[int, Fraction] = {}
        self._end = Fraction(0)

    def shift(self, packet: Any) -> None:
        """Shift a packet's times."""
        stamp = packet.pts if packet.dts is None else packet.dts  # Matroska has no dts for the first packets
        if stamp is None:
            return
        stream, base = packet.stream.index, packet.time_base
        recording, seconds = self._recordings.get(stream, 0), stamp * base
        if seconds < self._last.get(stream, seconds) - _RESTART:
            recording = self._recordings[stream] = recording + 1
            if recording == len(self._offsets):
                self._offsets.append(self._end - seconds)
        self._last[stream] = seconds
        offset = round(self._offsets[recording] / base)
        if packet.dts is not None:
            packet.dts += offset
        if packet.pts is not None:
            packet.pts += offset
        self._end = max(self._end, (stamp + offset + (packet.duration or 0)) * base)


class VideoReader:
    """Iterates over a video file's frames and, in between in file order, the packets of its audio.

    Args:
        path: The file.

    Attributes:
        frames: The number of frames that the header declares, or None.
        damage: After the iteration, what is wrong with the file; empty for an intact one.
        shape: Height and width of the upright frames.

    Raises:
        UsageError: The file is not a readable video.
    """

    def __init__(self, path: Path) -> None:
        self.name, self.damage, self._end, self._corrupt_frames = str(path), "", 0.0, 0
        try:  # local files only: a playlist that is named .mp4 must not open URLs
            self.container = av.open(f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"})
        except (FFmpegError, OSError) as error:
            raise UsageError(f"{path} {_open_error(path, error)}") from error
        if not self.container.streams.video:
            self.container.close()
            raise UsageError(f"{path} contains no video; name a video, a photo or a folder of photos")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.audio = [stream for stream in self.container.streams.audio if stream.codec_context is not None]
        self.time_base = self.stream.time_base or _MILLISECONDS
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self.metadata = {key: text for key, text in self.container.metadata.items() if key not in _FILE_METADATA}
        self.aspect = self.stream.sample_aspect_ratio
        self._declared_seconds, self._other_streams = self._declared()
        self._parts = self._read()
        self._buffered = self._read_first_frame()
        self._first = self._buffered[-1]
        self.rotation = self._first.rotation
        self._read_colors()
        self.shape = rotate(np.empty((self._first.height, self._first.width)), self.rotation).shape
        self._check_colors()
        self.frames = self.stream.frames or round(self._declared_seconds * self.rate) or None

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    def __iter__(self) -> Iterator[AudioPacket | Frame]:
        last: int | None = None
        for part in chain(self._buffered, self._parts):
            if isinstance(part, AudioPacket):
                yield part
                continue
            pts = part.pts if part.pts is not None else (last or 0)
            last = pts if last is None or pts > last else last + 1
            yield Frame(self._to_rgb(part), last, part.duration or round(1 / self.rate / self.time_base))

    def _read_first_frame(self) -> list[Any]:
        """Return the packets of audio before the first frame, and that frame."""
        parts: list[Any] = []
        while not parts or isinstance(parts[-1], AudioPacket):
            if (part := next(self._parts, None)) is None:
                self.container.close()
                reason = f" (it {self.damage})" if self.damage else ""
                raise UsageError(f"{self.name} contains no readable frame{reason}; name another video")
            parts.append(part)
        return parts

    def _read_colors(self) -> None:
        self.color = {key: int(getattr(self._first, key)) for key in ("colorspace", "color_primaries", "color_trc")}
        self.matrix = _MATRICES.get(
            self.color["colorspace"], Colorspace.ITU709 if self._first.height >= _HD else Colorspace.ITU601
        )
        if self.color["colorspace"] not in (_UNKNOWN, *_MATRICES):  # mostly RGB, which is not written
            self.color["colorspace"] = int(self.matrix)

    def _check_colors(self) -> None:
        try:
            self._to_rgb(self._first)
        except (FFmpegError, OSError) as error:
            self.container.close()
            fault = f"{self.name} has colors that cannot be converted to RGB: {error_reason(error)}"
            raise UsageError(f"{fault}; convert it to BT.709 with another program first") from error

    def _read(self) -> Iterator[Any]:
        """Yield packets of audio, and frames as they are stored."""
        start = Fraction(self.container.start_time or 0, av.time_base)
        timeline = Timeline(start)
        try:
            for packet in self.container.demux(self.stream, *self.audio, *self._other_streams):
                if packet.stream in self._other_streams:
                    self._extend(packet, start)
                    continue
                timeline.shift(packet)
                if packet.stream is self.stream:
                    parts = self._decode(packet)
                else:
                    parts = [AudioPacket(packet)] if packet.dts is not None else []
                for part in parts:
                    self._extend(part.packet if isinstance(part, AudioPacket) else part)
                    self._corrupt_frames += not isinstance(part, AudioPacket) and part.is_corrupt
                    yield part
        except (FFmpegError, OSError) as error:
            self.damage = f"is damaged ({error_reason(error)})"
        if self._corrupt_frames:  # the decoder concealed the errors
            self.damage = f"is damaged in {self._corrupt_frames} frame{'' if self._corrupt_frames == 1 else 's'}"
        seconds = self._end - min(0.0, float(start))  # the timeline has subtracted a start above 0
        if seconds < self._declared_seconds - _MISSING:
            self.damage = f"ends after {seconds:.1f} of {self._declared_seconds:.1f} seconds"

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()
        except FFmpegError as error:
            self.damage = f"is damaged ({error_reason(error)})"
            return []

    def _extend(self, part: Any, start: Fraction = Fraction(0)) -> None:
        """Extend the end of the video to the end of a packet or frame."""
        if part.pts is not None and part.time_base is not None:
            self._end = max(self._end, float((part.pts + (part.duration or 0)) * part.time_base - max(0, start)))

    def _declared(self) -> tuple[float, list[Any]]:
        """Return the declared length in seconds, and the further streams that this length includes."""
        start, length = self.container.start_time or 0, self.container.duration or 0
        if self.container.format.name in _FROM_ZERO and 0 < start < length:
            length -= start
        read: list[Any] = [self.stream, *self.audio]
        if all(stream.duration for stream in read):
            ends = [((stream.start_time or 0) + stream.duration) * stream.time_base for stream in read]
            return min(length / av.time_base, float(max(ends)) - start / av.time_base), []
        return length / av.time_base, [stream for stream in self.container.streams if stream not in read]

    def _to_rgb(self, frame: Any) -> Pixels:
        first = self._first
        if (frame.width, frame.height) != (first.width, first.height) or frame.colorspace == _UNKNOWN:
            frame = frame.reformat(first.width, first.height, "rgb24", src_colorspace=self.matrix)
        return np.ascontiguousarray(rotate(frame.to_ndarray(format="rgb24"), self.rotation))


class Camera:
    """Iterates over the frames of the first camera until Ctrl-C."""

    name, frames, damage, rotation, aspect = "camera", None, "", 0, None
    time_base, rate, matrix = _MILLISECONDS, Fraction(30), Colorspace.ITU709
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


def _open_error(path: Path, error: Exception) -> str:
    """Describe why FFmpeg cannot open a file."""
    with suppress(OSError), path.open("rb") as file:
        if isinstance(error, InvalidDataError) and file.read(8)[4:] == b"ftyp":
            return "is truncated: the index at its end is missing, without which it cannot be read; name another video"
    return f"is not a readable video: {error_reason(error)}"


def rotate(picture: NDArray[Any], degrees: int) -> NDArray[Any]:
    """Rotate counterclockwise by a multiple of 90 degrees, as the rotation of a video's frames is counted."""
    return np.rot90(picture, round(degrees / 90) % 4)


def error_reason(error: Exception) -> str:
    """Return the reason that FFmpeg or the system gives."""
    return str(getattr(error, "strerror", None) or error).lower()
