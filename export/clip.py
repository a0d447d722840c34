"""Reading and writing video files through PyAV, which carries FFmpeg, and reading a camera through OpenCV."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, cast

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from impasto.configs.errors import RequestError
from impasto.export.containers import CONTAINERS

_UNKNOWN = 2  # of a frame's colour space: not said in the file
_HD = 720  # px of height from which on BT.709 is meant where nothing is said, as players have it
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}  # by ISO/IEC 23091-2
_OWN = ("encoder", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id")  # of the old file
_MISSING = 0.5  # seconds that a container may promise and not hold
_CAMERA = 0  # the first one
_MILLISECONDS = Fraction(1, 1000)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Sound:
    """A packet of sound, as it lies in the file."""

    packet: Any


@dataclass(frozen=True)
class Frame:
    """A frame as it is seen, upright: `rgb` [H, W, 3], and its time in units of its source's time_base."""

    rgb: Pixels
    pts: int


class Clip:
    """A video file; iterates over its frames and, as they lie between them, the packets of its sound."""

    def __init__(self, path: Path) -> None:
        self.name, self.broken, self._ended = str(path), "", 0.0
        try:  # only files: a playlist that is called .mp4 opens nothing elsewhere
            self.container = av.open(f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"})
        except (FFmpegError, OSError) as error:
            raise RequestError(f"{path} is no video that can be read: {_reason(error)}") from error
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
        self.shape = _turned(np.empty((self._first.height, self._first.width)), self.rotation).shape
        seconds = (self.container.duration or 0) / av.time_base
        self.frames = self.stream.frames or (round(seconds * self.rate) if seconds else None)

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
            yield Frame(self._seen(part), last)

    def _read(self) -> Iterator[Any]:
        """Packets of sound, and frames as they are stored."""
        try:
            for packet in self.container.demux(self.stream, *self.sounds):
                if packet.stream is self.stream:
                    parts = self._decoded(packet)
                else:
                    parts = [Sound(packet)] if packet.dts is not None else []
                for part in parts:
                    self._reach(part.packet if isinstance(part, Sound) else part)
                    yield part
        except (FFmpegError, OSError) as error:
            self.broken = f"is damaged ({_reason(error)})"
        promised = (self.container.duration or 0) / av.time_base
        start = (self.container.start_time or 0) / av.time_base
        if promised and self._ended - start < promised - _MISSING:
            self.broken = f"breaks off after {self._ended - start:.1f} of {promised:.1f} seconds"

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()
        except FFmpegError as error:
            self.broken = f"is damaged ({_reason(error)})"
            return []

    def _reach(self, part: Any) -> None:
        if part.pts is not None and part.time_base is not None:
            self._ended = max(self._ended, float((part.pts + (part.duration or 0)) * part.time_base))

    def _seen(self, frame: Any) -> Pixels:
        first = self._first
        if (frame.width, frame.height) != (first.width, first.height) or frame.colorspace == _UNKNOWN:
            frame = frame.reformat(first.width, first.height, "rgb24", src_colorspace=self.matrix)
        return np.ascontiguousarray(_turned(frame.to_ndarray(format="rgb24"), self.rotation))


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
            yield Frame(np.ascontiguousarray(frame[..., ::-1]), last)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


class Writer:
    """Writes a video in the container that `target` names to `part`; a `clip` says what colours, sound and turn it has.

    `crf` is the constant quality of H.264 or VP9: lower is better. Raises RequestError.
    """

    def __init__(self, part: Path, target: Path, clip: Clip | Camera, crf: int) -> None:
        self.target, self.clip = target, clip
        self.kind = CONTAINERS[target.suffix.lower()]
        with self._writing():
            options = {"movflags": "+faststart"} if self.kind.format in ("mp4", "mov") else {}
            self.container = av.open(f"file:{part}", "w", format=self.kind.format, options=options)
        try:
            with self._writing():
                self._open(crf)
        except RequestError:
            self.container.close()
            raise

    def _open(self, crf: int) -> None:
        clip = self.clip
        self.container.metadata.update(clip.metadata)
        self.stream = cast(Any, self.container.add_stream(self.kind.codec, rate=clip.rate))
        height, width = _turned(np.empty(clip.shape), -clip.rotation).shape
        self.stream.width, self.stream.height = width + width % 2, height + height % 2  # 4:2:0 has no odd sides
        self.stream.pix_fmt = "yuv420p"
        self.stream.options = {"crf": str(crf), **self.kind.options}
        self.stream.codec_context.time_base = clip.time_base
        for key, value in {**clip.colour, "color_range": int(ColorRange.MPEG)}.items():
            setattr(self.stream.codec_context, key, value)
        if clip.aspect:
            self.stream.codec_context.sample_aspect_ratio = clip.aspect
        if clip.rotation:
            self.stream.set_display_rotation(clip.rotation)
        self.sounds = {}
        for sound in clip.sounds:
            name = sound.codec_context.codec.canonical_name
            if name not in self.container.supported_codecs:
                fault = f"{self.target} cannot hold the sound of {clip.name} ({name})"
                raise RequestError(f"{fault}; take an output that ends in .mkv")
            self.sounds[sound.index] = self.container.add_stream_from_template(sound)
        try:
            self.container.start_encoding()
        except FFmpegError as error:
            if isinstance(error, OSError):  # the disk, not the sound
                raise
            fault = f"{self.target} cannot hold the sound or the size of {clip.name}: {_reason(error)}"
            raise RequestError(f"{fault}; take an output that ends in .mkv") from error

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with self._writing():
                    for packet in self.stream.encode(None):
                        self.container.mux(packet)
        finally:
            with self._writing():
                self.container.close()

    def picture(self, frame: Frame, rgb: Pixels) -> None:
        """Write the painted picture of a frame, at its time."""
        turned = _turned(rgb, -self.clip.rotation)
        height, width = turned.shape[:2]
        turned = np.pad(turned, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        made = av.VideoFrame.from_ndarray(np.ascontiguousarray(turned), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=self.clip.matrix, dst_color_range=ColorRange.MPEG
        )
        made.pts, made.time_base = frame.pts, self.clip.time_base
        with self._writing():
            for packet in self.stream.encode(made):
                self.container.mux(packet)

    def sound(self, sound: Sound) -> None:
        """Write a packet of sound as it is."""
        packet = sound.packet
        packet.stream = self.sounds[packet.stream.index]
        with self._writing():
            self.container.mux(packet)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            raise RequestError(f"{self.target} cannot be written: {_reason(error)}") from error


def _turned(picture: NDArray[Any], degrees: int) -> NDArray[Any]:
    """Turned counter-clockwise, in quarters, as the rotation of a video's frames is counted."""
    return np.rot90(picture, round(degrees / 90) % 4)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
