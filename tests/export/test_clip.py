"""Videos as cameras, broadcasters and editors leave them: late starts, other tracks, colours that are not ours."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.configs.errors import CheckError
from tests.export.conftest import ask
from tests.export.test_video import picture, seen

av = pytest.importorskip("av")
FRAMES = 20  # at 25 a second


def encode(out: Any, stream: Any, count: int = FRAMES, start: int = 0) -> None:
    """Frames at 25 a second, from a second on."""
    stream.height, stream.width = 48, 64
    stream.codec_context.time_base = Fraction(1, 90000)
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(picture(number % 10), "rgb24")
        frame.pts, frame.time_base = start * 90000 + number * 3600, Fraction(1, 90000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def hum(out: Any, track: Any, start: int = 0) -> None:
    """As long a sound, with an impulse in its middle."""
    samples = np.zeros((1, FRAMES * 1920), np.int16)
    samples[0, FRAMES * 960 : FRAMES * 960 + 480] = 20000
    wave = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    wave.sample_rate, wave.pts, wave.time_base = 48000, start * 48000, Fraction(1, 48000)
    out.mux([*track.encode(wave), *track.encode(None)])


def impulse(path: Path) -> float:
    """When the impulse is heard, after the first frame of the video, in seconds."""
    with av.open(str(path)) as file:
        first = next(file.decode(video=0)).time
    with av.open(str(path)) as file:
        loudest = max(file.decode(audio=0), key=lambda frame: np.abs(frame.to_ndarray()).max())
        return float(loudest.time - first)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("format", ["ts", "mkv"])
def test_a_recording_from_the_middle_of_a_broadcast_begins_at_once(
    inverter: Path, tmp_path: Path, format: str, suffix: str
) -> None:
    source, target = tmp_path / f"a.{format}", tmp_path / f"b{suffix}"
    with av.open(str(source), "w") as out:
        stream, track = out.add_stream("libx264", rate=25), out.add_stream("aac", rate=48000)
        encode(out, stream, start=18000)
        hum(out, track, start=18000)
    with av.open(str(source)) as file:
        assert file.start_time > 17999 * av.time_base
    ask(inverter, source, target)
    times = seen(target)[0]
    assert 0 <= times[0] < 60 and np.diff(times).tolist() == [40] * (FRAMES - 1)
    assert impulse(target) == pytest.approx(impulse(source), abs=0.025)
    with av.open(str(target)) as file:
        assert file.duration < 1.2 * av.time_base


def test_how_far_a_late_one_goes_counts_from_its_start(inverter: Path, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        encode(out, out.add_stream("libx264", rate=25), 100, start=10)
    with av.open(str(tmp_path / "a.mkv")) as file:
        end = [packet.pos for packet in file.demux(video=0) if packet.size][50]
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "torn.mkv").write_bytes(whole[:end])
    with pytest.raises(CheckError, match=r"torn\.mkv breaks off after 2\.\d of 4\.0 seconds"):
        ask(inverter, tmp_path / "torn.mkv", tmp_path / "b.mp4")
