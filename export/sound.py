"""The sound of a video on its way into another container: as it is, or encoded anew where that cannot hold it."""

import math
from contextlib import suppress
from typing import Any

import av
from av.error import FFmpegError

from impasto.export.containers import Container

_RATE = 48_000  # Hz, where an encoder has not the rate of the source; Opus has no higher one
_LAYOUTS = {1: "mono", 6: "5.1"}  # by the number of channels; all others become stereo
_BIT_RATE = 96_000  # of a channel: AAC and Opus in stereo are then held to be transparent


class Copied:
    """A track whose packets stay as they are."""

    def __init__(self, container: Any, sound: Any) -> None:
        self._stream, self._last = container.add_stream_from_template(sound), -math.inf
        _label(self._stream, sound)

    def packets(self, packet: Any) -> list[Any]:
        """What is to be written for a packet of the source; nothing for one that goes back in time (damage)."""
        if packet.dts <= self._last:
            return []
        self._last, packet.stream = packet.dts, self._stream
        return [packet]

    def rest(self) -> list[Any]:
        """What is to be written at the end."""
        return []


class Encoded:
    """A track that is decoded and encoded anew, at the same times."""

    def __init__(self, container: Any, sound: Any, codec: str) -> None:
        self._source = sound.codec_context
        rates = av.codec.Codec(codec, "w").audio_rates or []
        layout = _LAYOUTS.get(self._source.channels, "stereo")
        rate = self._source.rate if self._source.rate in rates else _RATE
        self._stream = container.add_stream(codec, rate=rate, layout=layout)
        self._stream.bit_rate = _BIT_RATE * self._stream.codec_context.channels
        _label(self._stream, sound)

    def packets(self, packet: Any) -> list[Any]:
        """What is to be written for a packet of the source; nothing for one that is damaged."""
        return self._encoded(packet)

    def rest(self) -> list[Any]:
        """What is to be written at the end."""
        return [*self._encoded(None), *self._stream.encode(None)]

    def _encoded(self, packet: Any) -> list[Any]:
        made: list[Any] = []
        with suppress(FFmpegError):
            for frame in self._source.decode(packet):
                made += self._stream.encode(frame)
        return made


Track = Copied | Encoded


def _label(stream: Any, sound: Any) -> None:
    """What a player goes by to choose a track."""
    stream.metadata.update({key: sound.metadata[key] for key in ("language", "title") if key in sound.metadata})
    stream.disposition = sound.disposition


def track(container: Any, kind: Container, sound: Any) -> Track:
    """A new track of `container`, which is of that kind, for a track of a source. FFmpeg's errors pass."""
    name = sound.codec_context.codec.canonical_name
    holds = name in (container.supported_codecs if kind.copies is None else kind.copies)
    return Copied(container, sound) if holds else Encoded(container, sound, kind.sound)
