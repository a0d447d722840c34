"""Write video files with PyAV (FFmpeg)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.reformatter import ColorRange

from impasto.configs.errors import UsageError
from impasto.export.video.audio import add_track
from impasto.export.video.camera import Camera
from impasto.export.video.formats import FORMATS
from impasto.export.video.reader import AudioPacket, Frame, Pixels, VideoReader, error_reason, rotate


class VideoWriter:
    """Writes a video to a temporary file.

    Args:
        part: The temporary file.
        target: The final name; its suffix determines the format.
        source: Where colors, audio tracks, rotation and metadata are copied from.
        crf: Constant quality of H.264 or VP9; lower is better.

    Raises:
        UsageError: The file cannot be written; every method may raise it.
    """

    def __init__(self, part: Path, target: Path, source: VideoReader | Camera, crf: int) -> None:
        self.target, self.source = target, source
        self.format = FORMATS[target.suffix.lower()]
        with self._reporting():
            options = {"movflags": "+faststart"} if self.format.container in ("mp4", "mov") else {}
            self.container = av.open(f"file:{part}", "w", format=self.format.container, options=options)
        try:
            with self._reporting():
                self._add_streams(crf)
        except UsageError:
            self.container.close()
            raise

    def _add_streams(self, crf: int) -> None:
        source = self.source
        self.container.metadata.update(source.metadata)
        self.stream = cast(Any, self.container.add_stream(self.format.codec, rate=source.rate))
        height, width = rotate(np.empty(source.shape), -source.rotation).shape
        self.stream.width, self.stream.height = width + width % 2, height + height % 2  # 4:2:0 requires even sides
        self.stream.pix_fmt = "yuv420p"
        self.stream.options = self.format.encoder_options(crf, height * width)
        self.stream.codec_context.time_base = source.time_base
        for key, value in {**source.color, "color_range": int(ColorRange.MPEG)}.items():
            setattr(self.stream.codec_context, key, value)
        if source.aspect:
            self.stream.codec_context.sample_aspect_ratio = source.aspect
        if source.rotation:
            self.stream.set_display_rotation(source.rotation)
        self.stream.codec_context.flags |= Flags.frame_duration  # else the last frame of a variable rate is shortened
        try:
            self.tracks = {stream.index: add_track(self.container, self.format, stream) for stream in source.audio}
            self.container.start_encoding()
        except FFmpegError as error:
            if isinstance(error, OSError):  # a disk error, not an unsupported stream
                raise
            fault = f"{self.target} does not support the audio or the size of {source.name}: {error_reason(error)}"
            raise UsageError(f"{fault}; use an output that ends in .mkv") from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with self._reporting():
                    self._mux(self.stream.encode(None))
                    for track in self.tracks.values():
                        self._mux(track.flush())
        finally:
            with self._reporting():
                self.container.close()

    def write_frame(self, frame: Frame, rgb: Pixels) -> None:
        """Write the stylized picture of a frame, at the frame's time."""
        stored = rotate(rgb, -self.source.rotation)
        height, width = stored.shape[:2]
        if height % 2 or width % 2:
            stored = np.pad(stored, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        output = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=self.source.matrix, dst_color_range=ColorRange.MPEG
        )
        output.pts, output.duration, output.time_base = frame.pts, frame.duration, self.source.time_base
        with self._reporting():
            self._mux(self.stream.encode(output))

    def write_audio(self, audio: AudioPacket) -> None:
        """Write a packet of audio, at its time."""
        with self._reporting():
            self._mux(self.tracks[audio.packet.stream.index].convert(audio.packet))

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self.container.mux(packet)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            raise UsageError(f"{self.target} cannot be written: {error_reason(error)}") from error
