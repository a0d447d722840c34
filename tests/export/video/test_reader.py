"""Videos from cameras, broadcasters and editors: late starts, further tracks, other color spaces."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.configs.errors import CheckFailed, UsageError
from tests.helpers.stylize import run_stylize, save
from tests.helpers.videos import av, picture, read_video, write_video

FRAMES = 20  # at 25 a second


def add_video(out: Any, codec: str = "libx264", pixels: str = "yuv420p") -> Any:
    """Add a video track of 48x64."""
    stream = out.add_stream(codec, rate=25)
    stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
    stream.codec_context.time_base = Fraction(1, 90000)
    return stream


def encode(out: Any, stream: Any, count: int = FRAMES, start: int = 0) -> None:
    """Encode frames at 25 a second, from `start` seconds on."""
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(picture(number % 10), "rgb24")
        frame.pts, frame.time_base = start * 90000 + number * 3600, Fraction(1, 90000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def encode_impulse(out: Any, track: Any, start: int = 0) -> None:
    """Encode audio of the same length, with an impulse in its middle."""
    samples = np.zeros((1, FRAMES * 1920), np.int16)
    samples[0, FRAMES * 960 : FRAMES * 960 + 480] = 20000
    wave = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    wave.sample_rate, wave.pts, wave.time_base = 48000, start * 48000, Fraction(1, 48000)
    out.mux([*track.encode(wave), *track.encode(None)])


def impulse_time(path: Path) -> float:
    """Return the time of the impulse after the first frame of the video, in seconds."""
    with av.open(str(path)) as file:
        first = next(file.decode(video=0)).time
    with av.open(str(path)) as file:
        loudest = max(file.decode(audio=0), key=lambda frame: np.abs(frame.to_ndarray()).max())
        return float(loudest.time - first)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("format", ["ts", "mkv"])
def test_reader_with_late_start_time_begins_at_zero_in_sync(
    inverter: Path, tmp_path: Path, format: str, suffix: str
) -> None:
    source, target = tmp_path / f"a.{format}", tmp_path / f"b{suffix}"
    with av.open(str(source), "w") as out:
        stream, track = add_video(out), out.add_stream("aac", rate=48000)
        encode(out, stream, start=18000)
        encode_impulse(out, track, start=18000)
    with av.open(str(source)) as file:
        assert file.start_time > 17999 * av.time_base
    run_stylize(inverter, source, target)
    times = read_video(target).times
    assert 0 <= times[0] < 60 and np.diff(times).tolist() == [40] * (FRAMES - 1)
    assert impulse_time(target) == pytest.approx(impulse_time(source), abs=0.025)
    with av.open(str(target)) as file:
        assert file.duration < 1.2 * av.time_base


@pytest.mark.slow
def test_reader_of_truncated_late_video_counts_from_its_start(inverter: Path, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        encode(out, add_video(out), 100, start=10)
    with av.open(str(tmp_path / "a.mkv")) as file:
        end = [packet.pos for packet in file.demux(video=0) if packet.size][50]
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "torn.mkv").write_bytes(whole[:end])
    with pytest.raises(CheckFailed, match=r"torn\.mkv ends after 2\.\d of 4\.0 seconds"):
        run_stylize(inverter, tmp_path / "torn.mkv", tmp_path / "b.mp4")


def with_longer_track(path: Path, other: str) -> Path:
    """Write a video with a further track of 5 s, a video or a subtitle."""
    (path.parent / "a.srt").write_text("1\n00:00:00,000 --> 00:00:05,000\nhello\n\n")
    with av.open(str(path), "w") as out, av.open(str(path.parent / "a.srt")) as lines:
        stream, track = add_video(out), out.add_stream("aac", rate=48000)
        if other == "video":
            second = add_video(out)
        else:
            text = out.add_stream_from_template(lines.streams.subtitles[0])
        encode(out, stream)
        encode_impulse(out, track)
        if other == "video":
            encode(out, second, 125)
        for packet in lines.demux() if other == "subtitle" else ():
            if packet.dts is not None:
                packet.stream = text
                out.mux(packet)
    return path


@pytest.mark.parametrize("name", ["video.mp4", "video.mkv", "video.ts", "subtitle.mkv"])
def test_reader_with_longer_further_track_reports_no_damage(
    inverter: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_stylize(inverter, with_longer_track(tmp_path / name, name.partition(".")[0]), tmp_path / "b.mp4")
    assert capsys.readouterr().out.startswith("20 frames written")


def test_reader_of_truncated_video_with_further_track_reports_it(inverter: Path, tmp_path: Path) -> None:
    whole = with_longer_track(tmp_path / "a.mkv", "video")
    (tmp_path / "torn.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(CheckFailed, match=r"torn\.mkv ends after \d\.\d of 5\.0 seconds"):
        run_stylize(inverter, tmp_path / "torn.mkv", tmp_path / "b.mp4")


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "libx264rgb", "rgb24"), ("a.mov", "png", "rgb24"), ("a.mkv", "ffv1", "bgr0")],
)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_writer_for_rgb_source_tags_the_written_colors(
    inverter: Path, tmp_path: Path, name: str, codec: str, pixels: str, suffix: str
) -> None:
    source, target = tmp_path / name, tmp_path / f"b{suffix}"
    with av.open(str(source), "w") as out:
        encode(out, add_video(out, codec, pixels))
    run_stylize(inverter, source, target, "crf=5")
    with av.open(str(target)) as file:
        frame = next(file.decode(video=0))
    assert frame.format.name == "yuv420p" and int(frame.colorspace) in (2, 5)  # unknown is BT.601 at this size
    before, after = read_video(source).frames[0], frame.to_ndarray(format="rgb24")
    centers = np.ix_([12, 36], [16, 48])
    assert np.abs(after[centers].astype(int) - (255 - before[centers].astype(int))).max() < 12


def test_reader_with_unsupported_colors_raises_one_sentence(inverter: Path, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = add_video(out, pixels="yuv444p")
        stream.codec_context.colorspace = 8  # YCgCo
        encode(out, stream)
    with pytest.raises(UsageError, match=r"a\.mkv has colors that cannot .* convert it to BT\.709"):
        run_stylize(inverter, tmp_path / "a.mkv", tmp_path / "out" / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".webm"])
def test_writer_preserves_language_title_and_disposition_of_audio(inverter: Path, tmp_path: Path, suffix: str) -> None:
    from av.stream import Disposition

    source, target = tmp_path / "a.mkv", tmp_path / f"b{suffix}"
    with av.open(str(source), "w") as out:
        stream, tracks = add_video(out), [out.add_stream("aac", rate=48000) for _ in range(2)]
        for track, language, kind in zip(
            tracks, ("deu", "fra"), (Disposition.comment, Disposition.default), strict=True
        ):
            track.metadata.update({"language": language, "title": f"In {language}"})
            track.disposition = kind
        encode(out, stream)
        for track in tracks:
            encode_impulse(out, track)
    run_stylize(inverter, source, target)
    with av.open(str(target)) as file:
        audio = file.streams.audio
        assert [track.metadata.get("language") for track in audio] == ["deu", "fra"]
        assert suffix == ".mp4" or [track.metadata.get("title") for track in audio] == ["In deu", "In fra"]
        assert [bool(track.disposition & Disposition.default) for track in audio] == [False, True]
        assert suffix == ".webm" or audio[0].disposition & Disposition.comment  # WebM does not have this flag


def test_mask_folder_is_matched_by_the_videos_name(inverter: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    (tmp_path / "in").mkdir()
    source = write_video(tmp_path / "in" / "a.mp4", audio=False)
    save(masks / "a.png", np.zeros((48, 64), np.uint8))
    run_stylize(inverter, source, tmp_path / "b.mp4", "crf=5", f"mask={masks}")
    assert np.abs(read_video(tmp_path / "b.mp4").frames[0].astype(int) - read_video(source).frames[0]).mean() < 3


def test_flicker_is_reported_only_where_it_was_measured(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count, message in (1, ""), (2, r"; flicker \d\.\d\d before, \d\.\d\d after \(levels of 255\)"):
        source = write_video(tmp_path / f"{count}.mp4", audio=False, frames=[picture(0)] * count)
        run_stylize(inverter, source, tmp_path / f"to{count}.mp4", "temporal_smoothing=0.7")
        assert re.fullmatch(rf"{count} frames? written to .*to{count}\.mp4{message}\n", capsys.readouterr().out)


def test_reader_of_a_playlist_raises_one_sentence(inverter: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mp4")
    (tmp_path / "clip.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(UsageError, match=r"clip\.mp4 is a playlist, which names other files; name the video itself"):
        run_stylize(inverter, tmp_path / "clip.mp4", tmp_path / "out.mp4")
