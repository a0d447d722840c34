"""Turn interlaced frames, whose lines are of two times, into frames of one time each."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import av


class Deinterlacer:
    """FFmpeg's bwdif on the frames that are marked as interlaced; the number of frames stays the same.

    Args:
        stream: The video stream.
        frame: Its first interlaced frame.
    """

    def __init__(self, stream: Any, frame: Any) -> None:
        self._time_base = stream.time_base
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=self._time_base
        )
        bwdif = self._graph.add("bwdif", "mode=send_frame:deint=interlaced")
        source.link_to(bwdif)
        bwdif.link_to(self._graph.add("buffersink"))
        self._graph.configure()
        self._durations: deque[int] = deque()  # filters of older FFmpeg versions drop them

    def __call__(self, frame: Any) -> Iterator[Any]:
        """Yield the frames that are finished with this one; None for it flushes the last."""
        if frame is not None:
            self._durations.append(frame.duration or 0)
        self._graph.push(frame)
        while True:
            try:
                output = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if output.pts is not None and output.time_base is not None:
                output.pts = round(output.pts * output.time_base / self._time_base)
            output.time_base, output.duration = self._time_base, self._durations.popleft()
            yield output
