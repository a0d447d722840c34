"""Stylize a video frame by frame in constant memory, with frame times and audio unchanged."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs.atomic_file import atomic_write
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.stylize import StylizeConfig
from impasto.export.inference import batch
from impasto.export.inference.masks import Masks
from impasto.export.inference.stylizer import Stylizer
from impasto.export.video.camera import Camera
from impasto.export.video.reader import AudioPacket, Frame, VideoReader
from impasto.export.video.temporal_filter import TemporalFilter
from impasto.export.video.writer import VideoWriter
from impasto.models.image import color
from impasto.models.image.picture import Picture
from impasto.models.progress import ProgressBar, stderr_console

Pixels = NDArray[np.uint8]


def stylize(config: StylizeConfig, source: Path | None, target: Path, masks: Masks | None) -> str:
    """Stylize a video file or the camera.

    Args:
        config: The settings.
        source: The video file; None for the camera.
        target: The file to write.
        masks: The masks, if any.

    Returns:
        A sentence about what was written.

    Raises:
        UsageError: The video cannot be read or written; no file is left behind.
        CheckFailed: The video is damaged; its readable frames are written.
    """
    workers, threads = batch.choose_parallelism(config.workers, config.threads)
    with VideoReader(source) if source else Camera() as reader:
        mask = masks.load(Path(Path(reader.name).name), reader.shape)() if masks else None
        stylizer = Stylizer(config, threads, frames=True)
        temporal_filter = TemporalFilter(config.temporal_smoothing) if config.temporal_smoothing else None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from error
        with (
            ProgressBar("stylizing", stderr_console(), reader.frames, "frames") as progress,
            atomic_write(target) as part,
            VideoWriter(part, target, reader, config.crf) as writer,
        ):
            count = 0
            for item in _stylize_frames(reader, lambda photo: stylizer(Picture(photo)).rgb, workers):
                if isinstance(item, AudioPacket):
                    writer.write_audio(item)
                    continue
                frame, rgb = item
                if temporal_filter:
                    rgb = temporal_filter(frame.rgb, rgb)
                if mask is not None:  # after the filter, which would blend the masked regions with previous frames
                    rgb = color.blend(rgb, frame.rgb, mask)
                writer.write_frame(frame, rgb)
                count += 1
                progress.advance()
            if not count:
                raise UsageError(f"{reader.name} contains no readable frame; name another video")
    if reader.damage:
        raise CheckFailed(f"{reader.name} {reader.damage}; the {count} readable frames are in {target}")
    flicker = ""
    if temporal_filter and temporal_filter.measured:  # not for a single frame, or if each shows something new
        flicker = "; flicker {:.2f} before, {:.2f} after (levels of 255)".format(*temporal_filter.flicker())
    return f"{count} frame{'' if count == 1 else 's'} written to {target}{flicker}"


def _stylize_frames(
    items: Iterable[AudioPacket | Frame], stylize_frame: Callable[[Pixels], Pixels], workers: int
) -> Iterator[AudioPacket | tuple[Frame, Pixels]]:
    """Yield frames with their stylized pictures, in order and several at a time, and packets of audio as they come."""
    pending: deque[tuple[Frame, Future[Pixels]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                if isinstance(item, AudioPacket):
                    yield item
                    continue
                pending.append((item, pool.submit(stylize_frame, item.rgb)))
                if len(pending) > workers:
                    frame, future = pending.popleft()
                    yield frame, future.result()
            while pending:
                frame, future = pending.popleft()
                yield frame, future.result()
        finally:
            with suppress(Exception):
                pool.shutdown(cancel_futures=True)
