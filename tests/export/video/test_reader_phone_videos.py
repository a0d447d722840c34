"""Videos from phones, camcorders and cameras: HDR, interlaced, with covers, without a container."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.configs.errors import UsageError
from impasto.models.image.tone_map import HLG
from tests.helpers.onnx_models import model
from tests.helpers.pictures import hlg_signal
from tests.helpers.stylize import run_stylize
from tests.helpers.videos import av, picture, read_video, write_video

FRAMES = 10  # at 25 a second


def write(path: Path, pictures: list[NDArray[np.uint8]], transfer: int = 1, container: str | None = None) -> Path:
    """Write H.264 at 25 frames a second."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        stream.codec_context.color_trc = transfer
        add(out, stream, pictures)
    return path


def add(out: Any, stream: Any, pictures: list[NDArray[np.uint8]]) -> None:
    for number, rgb in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def copy(source: Path, folder: Path) -> Path:
    """Stylize a video with strength 0, which changes nothing."""
    target = folder / "copy.mp4"
    run_stylize(model(folder / "model.onnx"), source, target, "strength=0", "crf=5")
    return target


def test_stylize_hdr_video_is_written_as_sdr(tmp_path: Path) -> None:
    signal = np.full((48, 64, 3), round(hlg_signal(0.18)), np.uint8)
    target = copy(write(tmp_path / "a.mp4", [signal] * FRAMES, HLG), tmp_path)
    with av.open(str(target)) as file:
        frame = next(file.decode(video=0))
        assert (frame.color_trc, frame.color_primaries, frame.colorspace) == (1, 1, 1)
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - 118).max() < 6  # 18 % gray


def test_stylize_video_of_linear_light_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", [picture(0)] * 3, 8)
    with pytest.raises(UsageError, match="has the linear transfer function, which networks do not know; convert it"):
        copy(source, tmp_path)


def test_stylize_interlaced_video_has_no_combs(tmp_path: Path) -> None:
    def moving(time: float) -> NDArray[np.uint8]:
        rgb = np.full((48, 96, 3), 60, np.uint8)
        rgb[8:40, round(6 * time) : round(6 * time) + 16] = 220
        return rgb

    woven = [moving(number) for number in range(FRAMES)]
    for number, rgb in enumerate(woven):
        rgb[1::2] = moving(number + 0.5)[1::2]
    flags = av.codec.context.Flags
    source = tmp_path / "a.mts"
    with av.open(str(source), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "5", "x264-params": "tff=1"})
        stream.height, stream.width, stream.pix_fmt = 48, 96, "yuv420p"
        stream.codec_context.flags |= flags.interlaced_dct | flags.interlaced_me
        add(out, stream, woven)
    before, after = read_video(source), read_video(copy(source, tmp_path))
    assert len(after.frames) == FRAMES and after.times == [40 * number for number in range(FRAMES)]

    def combs(frame: NDArray[np.uint8]) -> float:
        gray = frame[10:38].mean(2)
        return float(np.abs(gray[1:-1] - (gray[:-2] + gray[2:]) / 2).mean())

    assert combs(before.frames[5]) > 5 > 3 * combs(after.frames[5])


def test_stylize_cover_in_front_of_the_video_is_not_the_video(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    with av.open(str(source), "w") as out:
        cover = out.add_stream("mjpeg", rate=25)
        cover.height, cover.width, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        add(out, cover, [np.zeros((32, 32, 3), np.uint8)])
        add(out, stream, [picture(0)] * FRAMES)
    assert len(read_video(copy(source, tmp_path)).frames) == FRAMES


def test_stylize_stream_without_container_has_a_frame_rate(tmp_path: Path) -> None:
    source = write(tmp_path / "a.h264", [picture(number) for number in range(FRAMES)], container="h264")
    assert read_video(copy(source, tmp_path)).times == [40 * number for number in range(FRAMES)]


def test_stylize_audio_that_cannot_be_decoded_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(tmp_path / "a.mp4")
    source.write_bytes(source.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"dapa"))
    target = copy(source, tmp_path)
    assert read_video(target).audio == []
    assert "1 of its audio tracks cannot be decoded and are left out" in caplog.text
