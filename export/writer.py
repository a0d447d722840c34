"""Writing video files through PyAV, which carries FFmpeg."""

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

from impasto.configs.errors import RequestError
from impasto.export.clip import Camera, Clip, Frame, Pixels, Sound, reason, turned
from impasto.export.containers import CONTAINERS
from impasto.export.sound import track


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
        height, width = turned(np.empty(clip.shape), -clip.rotation).shape
        self.stream.width, self.stream.height = width + width % 2, height + height % 2  # 4:2:0 has no odd sides
        self.stream.pix_fmt = "yuv420p"
        self.stream.options = self.kind.settings(crf, height * width)
        self.stream.codec_context.time_base = clip.time_base
        for key, value in {**clip.colour, "color_range": int(ColorRange.MPEG)}.items():
            setattr(self.stream.codec_context, key, value)
        if clip.aspect:
            self.stream.codec_context.sample_aspect_ratio = clip.aspect
        if clip.rotation:
            self.stream.set_display_rotation(clip.rotation)
        self.stream.codec_context.flags |= Flags.frame_duration  # or the last frame of a variable rate is cut short
        try:
            self.tracks = {sound.index: track(self.container, self.kind, sound) for sound in clip.sounds}
            self.container.start_encoding()
        except FFmpegError as error:
            if isinstance(error, OSError):  # the disk, not the sound
                raise
            fault = f"{self.target} cannot hold the sound or the size of {clip.name}: {reason(error)}"
            raise RequestError(f"{fault}; take an output that ends in .mkv") from error

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with self._writing():
                    self._mux(self.stream.encode(None))
                    for one in self.tracks.values():
                        self._mux(one.rest())
        finally:
            with self._writing():
                self.container.close()

    def picture(self, frame: Frame, rgb: Pixels) -> None:
        """Write the painted picture of a frame, at its time."""
        lying = turned(rgb, -self.clip.rotation)
        height, width = lying.shape[:2]
        if height % 2 or width % 2:
            lying = np.pad(lying, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        made = av.VideoFrame.from_ndarray(np.ascontiguousarray(lying), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=self.clip.matrix, dst_color_range=ColorRange.MPEG
        )
        made.pts, made.duration, made.time_base = frame.pts, frame.duration, self.clip.time_base
        with self._writing():
            self._mux(self.stream.encode(made))

    def sound(self, sound: Sound) -> None:
        """Write a packet of sound, at its time."""
        with self._writing():
            self._mux(self.tracks[sound.packet.stream.index].packets(sound.packet))

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self.container.mux(packet)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            raise RequestError(f"{self.target} cannot be written: {reason(error)}") from error
