"""Synthetic videos, and the contents of a video file."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

TIMES = [0, 40, 80, 200, 240, 500, 540, 580, 900, 1000]  # ms
END, ONSET = 1200, 500  # ms: the end of the last frame, the beginning of the tone
COLORS = np.array([[200, 40, 60], [40, 190, 70], [50, 60, 200], [180, 180, 170]], np.uint8)
CODECS = {
    ".mp4": ("libx264", "aac"),
    ".mkv": ("libx264", "aac"),
    ".webm": ("libvpx-vp9", "libopus"),
    ".avi": ("mpeg4", "pcm_s16le"),
    ".ts": ("libx264", "aac"),
}


class Contents(NamedTuple):
    """Times in ms, frames as stored, audio packets, rotation in degrees."""

    times: list[int]
    frames: list[Any]
    audio: list[bytes]
    rotation: Any


def picture(number: int) -> NDArray[np.uint8]:
    """Return frame `number`, 48x64: a color in each quarter; the upper left one becomes darker from frame to frame."""
    rgb = np.repeat(np.repeat(COLORS.reshape(2, 2, 3), 24, 0), 32, 1)
    rgb[:24, :32] -= np.uint8(4 * number)
    return rgb


def write_video(
    path: Path, rotation: int = 0, audio: bool = True, frames: list[NDArray[np.uint8]] | None = None
) -> Path:
    """Write a video with a variable frame rate, whose last frame lasts 200 ms; the audio is a tone from ONSET on."""
    codec, audio_codec = CODECS[path.suffix]
    pictures = frames or [picture(number) for number in range(len(TIMES))]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration
        if rotation:
            stream.set_display_rotation(rotation)
        track = out.add_stream(audio_codec, rate=48000) if audio else None
        for (pts, end), rgb in zip(pairwise([*TIMES, END]), pictures, strict=False):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.duration, frame.time_base = pts, end - pts, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if track:
            tone = (np.sin(np.arange(48000) / 20) * 9000).astype(np.int16)[None]
            tone[:, : ONSET * 48] = 0
            wave = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            wave.sample_rate, wave.pts = 48000, 0
            out.mux([*track.encode(wave), *track.encode(None)])
    return path


def read_video(path: Path) -> Contents:
    """Read a video file."""
    with av.open(str(path)) as file:
        frames = [*file.decode(video=0)]
        times = [round(1000 * float(frame.pts * frame.time_base)) for frame in frames]
        pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    with av.open(str(path)) as file:
        packets = file.demux(audio=0) if file.streams.audio else ()
        audio = [bytes(packet) for packet in packets if packet.dts is not None]
    return Contents(times, pixels, audio, frames[0].rotation)
