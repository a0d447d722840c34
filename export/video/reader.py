"""Read video files with PyAV (FFmpeg)."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError, InvalidDataError
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from impasto.configs.errors import UsageError
from impasto.export.video.deinterlace import Deinterlacer
from impasto.models.image.tone_map import HLG, PQ, ToneMap

logger = logging.getLogger(__name__)
_PLAYLISTS = ("concat", "dash", "hls")  # FFmpeg finds them by content, whatever the file is named

_UNKNOWN = 2  # a frame's colorspace where the file does not specify it
_HD = 720  # px; from this height on players assume BT.709 for unspecified colors
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}  # by ISO/IEC 23091-2
_TRANSFERS_REFUSED = {8: "linear", 9: "logarithmic", 10: "logarithmic", 17: "SMPTE 428"}  # unlike sRGB's, by the same
# Metadata that describe the source file, not the video.
_FILE_METADATA = ("encoder", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id")
_MISSING = 0.5  # seconds; a file may be shorter than its header declares by this much
_FROM_ZERO = ("matroska,webm",)  # FFmpeg, which writes most of them, measures their duration from 0, not from the start
_RESTART = 1  # seconds by which times must decrease for a new recording to begin; less is disorder
MILLISECONDS = Fraction(1, 1000)

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
        if self.container.format.name in _PLAYLISTS:
            self.container.close()
            raise UsageError(f"{path} is a playlist, which names other files; name the video itself")
        cover = av.stream.Disposition.attached_pic
        videos = [stream for stream in self.container.streams.video if not stream.disposition & cover]
        if not videos:
            self.container.close()
            raise UsageError(f"{path} contains no video; name a video, a photo or a folder of photos")
        self.stream = videos[0]
        self.stream.thread_type = "AUTO"
        self.audio = [stream for stream in self.container.streams.audio if stream.codec_context is not None]
        if unknown := len(self.container.streams.audio) - len(self.audio):
            logger.warning("%s: %d of its audio tracks cannot be decoded and are left out", path, unknown)
        self.time_base = self.stream.time_base or MILLISECONDS
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self.metadata = {key: text for key, text in self.container.metadata.items() if key not in _FILE_METADATA}
        self.aspect = self.stream.sample_aspect_ratio
        self._deinterlacer: Deinterlacer | None = None
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
        last, step = None, round(1 / self.rate / self.time_base)
        for part in chain(self._buffered, self._parts):
            if isinstance(part, AudioPacket):
                yield part
                continue
            duration = part.duration or step
            if part.pts is None:  # as in a stream without a container
                last = 0 if last is None else last + duration
            else:
                last = part.pts if last is None or part.pts > last else last + 1
            yield Frame(self._to_rgb(part), last, duration)

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
        self._source_matrix, self._tone_map, transfer = self.matrix, None, self.color["color_trc"]
        if transfer in _TRANSFERS_REFUSED:
            self.container.close()
            fault = f"{self.name} has the {_TRANSFERS_REFUSED[transfer]} transfer function, which networks do not know"
            raise UsageError(f"{fault}; convert it to BT.709 with another program first")
        if transfer in (PQ, HLG):
            if self.color["colorspace"] == _UNKNOWN:
                self._source_matrix = Colorspace.BT2020
            self._tone_map, self.matrix = ToneMap(transfer), Colorspace.ITU709
            self.color = dict.fromkeys(self.color, 1)  # BT.709
            logger.info("%s is HDR; it is written in SDR (BT.709)", self.name)

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
            frames = packet.decode()
            if self._deinterlacer is None and any(frame.interlaced_frame for frame in frames):
                self._deinterlacer = Deinterlacer(self.stream, frames[0])
            if self._deinterlacer is None:
                return frames
            last = [None] if packet.dts is None and not packet.size else []  # demux ends with an empty packet
            return [output for frame in [*frames, *last] for output in self._deinterlacer(frame)]
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
            frame = frame.reformat(first.width, first.height, "rgb24", src_colorspace=self._source_matrix)
        rgb = frame.to_ndarray(format="rgb24")
        return np.ascontiguousarray(rotate(self._tone_map(rgb) if self._tone_map else rgb, self.rotation))


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
