"""Carry audio tracks into another container: packets are copied, or re-encoded where it does not support the codec."""

import math
from contextlib import suppress
from typing import Any

import av
from av.error import FFmpegError

from impasto.export.video.formats import VideoFormat

_RATE = 48_000  # Hz, where an encoder does not support the source's rate; Opus supports no higher one
_LAYOUTS = {1: "mono", 6: "5.1"}  # by the number of channels; all others become stereo
_BIT_RATE = 96_000  # per channel: AAC and Opus in stereo are considered transparent at twice this


class CopiedTrack:
    """A track whose packets are copied."""

    def __init__(self, container: Any, source: Any) -> None:
        self._stream, self._last_dts = container.add_stream_from_template(source), -math.inf
        _copy_tags(self._stream, source)

    def convert(self, packet: Any) -> list[Any]:
        """Return the packets to write for a packet of the source; none where its time decreases (damage)."""
        if packet.dts <= self._last_dts:
            return []
        self._last_dts, packet.stream = packet.dts, self._stream
        return [packet]

    def flush(self) -> list[Any]:
        """Return the packets to write at the end."""
        return []


class EncodedTrack:
    """A track that is decoded and re-encoded, with unchanged times."""

    def __init__(self, container: Any, source: Any, codec: str) -> None:
        self._source = source.codec_context
        rates = av.codec.Codec(codec, "w").audio_rates or []
        layout = _LAYOUTS.get(self._source.channels, "stereo")
        rate = self._source.rate if self._source.rate in rates else _RATE
        self._stream = container.add_stream(codec, rate=rate, layout=layout)
        self._stream.bit_rate = _BIT_RATE * self._stream.codec_context.channels
        _copy_tags(self._stream, source)

    def convert(self, packet: Any) -> list[Any]:
        """Return the packets to write for a packet of the source; none for a damaged one."""
        return self._encode(packet)

    def flush(self) -> list[Any]:
        """Return the packets to write at the end."""
        return [*self._encode(None), *self._stream.encode(None)]

    def _encode(self, packet: Any) -> list[Any]:
        packets: list[Any] = []
        with suppress(FFmpegError):
            for frame in self._source.decode(packet):
                packets += self._stream.encode(frame)
        return packets


Track = CopiedTrack | EncodedTrack


def _copy_tags(stream: Any, source: Any) -> None:
    """Copy language, title and disposition, by which players choose a track."""
    stream.metadata.update({key: source.metadata[key] for key in ("language", "title") if key in source.metadata})
    stream.disposition = source.disposition


def add_track(container: Any, video_format: VideoFormat, source: Any) -> Track:
    """Add a track to `container` for a track of a source. FFmpeg's errors propagate."""
    codec = source.codec_context.codec.canonical_name
    supported = container.supported_codecs if video_format.copied_codecs is None else video_format.copied_codecs
    if codec in supported:
        return CopiedTrack(container, source)
    return EncodedTrack(container, source, video_format.audio_codec)
