"""A video through a painter, frame by frame: in constant memory, each frame at its own time, the sound as it was."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from impasto.configs.errors import CheckError, RequestError
from impasto.configs.shipping import StylizeConfig
from impasto.export import folder
from impasto.export.clip import Camera, Clip, Frame, Sound
from impasto.export.masks import Masks
from impasto.export.painter import Painter
from impasto.export.progress import bar
from impasto.export.steady import Steady
from impasto.export.writer import Writer
from impasto.models import colors
from impasto.models.files import aside
from impasto.models.pictures import Picture

Pixels = NDArray[np.uint8]


def stylize(config: StylizeConfig, source: Path | None, target: Path, masks: Masks | None) -> str:
    """Stylize a video file, or what the camera sees where there is none; gives the sentence on what was written.

    Raises RequestError, and then nothing is written; CheckError where the video breaks off: what was there is written.
    """
    workers, threads = folder.division(config.workers, config.threads)
    with Clip(source) if source else Camera() as clip:
        mask = masks.of(Path(Path(clip.name).name), clip.shape)() if masks else None
        painter = Painter(config, threads, frames=True)
        steady = Steady(config.stabilize) if config.stabilize else None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from error
        with (
            bar("frames", Console(stderr=True)) as progress,
            aside(target) as part,
            Writer(part, target, clip, config.crf) as writer,
        ):
            task = progress.add_task("stylizing", total=clip.frames)
            count = 0
            for item in _painted(clip, lambda photo: painter(Picture(photo)).rgb, workers):
                if isinstance(item, Sound):
                    writer.sound(item)
                    continue
                frame, rgb = item
                if steady:
                    rgb = steady(frame.rgb, rgb)
                if mask is not None:  # after mixing with the past, or what is left as it is would be mixed too
                    rgb = colors.blend(rgb, frame.rgb, mask)
                writer.picture(frame, rgb)
                count += 1
                progress.update(task, advance=1)
            if not count:
                raise RequestError(f"{clip.name} holds no frame that can be read")
    if clip.broken:
        raise CheckError(f"{clip.name} {clip.broken}; the {count} frames that can be read are in {target}")
    flicker = ""
    if steady and steady.measured:  # not of one frame alone, nor where all is new in each
        flicker = "; flicker {:.2f} before, {:.2f} after (levels of 255)".format(*steady.flicker())
    return f"{count} frame{'' if count == 1 else 's'} written to {target}{flicker}"


def _painted(
    items: Iterable[Sound | Frame], paint: Callable[[Pixels], Pixels], workers: int
) -> Iterator[Sound | tuple[Frame, Pixels]]:
    """Frames with their paintings, in order, several in work at a time; packets of sound as they come."""
    waiting: deque[tuple[Frame, Future[Pixels]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                if isinstance(item, Sound):
                    yield item
                    continue
                waiting.append((item, pool.submit(paint, item.rgb)))
                if len(waiting) > workers:
                    frame, future = waiting.popleft()
                    yield frame, future.result()
            while waiting:
                frame, future = waiting.popleft()
                yield frame, future.result()
        finally:
            with suppress(Exception):
                pool.shutdown(cancel_futures=True)
