"""Videos through impasto-stylize, with a model that inverts colors: what is preserved, and damaged files."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.video import pipeline
from impasto.export.video.formats import FORMATS
from tests.helpers.onnx_models import model
from tests.helpers.stylize import run_stylize, save
from tests.helpers.videos import END, ONSET, TIMES, av, picture, read_video, write_video


def read_audio(path: Path) -> tuple[str, NDArray[np.float32], int]:
    """Return the codec of the audio, its samples from time 0 on, and their rate."""
    with av.open(str(path)) as file:
        frames = [*file.decode(audio=0)]
        name, rate = file.streams.audio[0].codec_context.codec.canonical_name, frames[0].sample_rate
        samples = np.zeros(4 * rate, np.float32)
        for frame in frames:
            values = frame.to_ndarray()[0].astype(np.float32)
            samples[(start := max(0, round(frame.time * rate))) : start + len(values)] = values
    return name, samples / np.abs(samples).max(), rate


def length(path: Path) -> float:
    """Return the end of the last frame in seconds."""
    with av.open(str(path)) as file:
        return max(float((frame.pts + frame.duration) * frame.time_base) for frame in file.decode(video=0))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_stylize_video_preserves_times_rotation_and_audio(
    inverter: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = write_video(tmp_path / f"a{suffix}", rotation=90), tmp_path / "new" / f"b{suffix}"
    run_stylize(inverter, source, target, "crf=5")
    assert capsys.readouterr() == (f"10 frames written to {target}\n", "")
    before, after = read_video(source), read_video(target)
    assert before.times == after.times == TIMES
    assert after.audio == before.audio and len(after.audio) > 20
    assert before.rotation == after.rotation == 90
    assert suffix == ".mp4" or length(target) == pytest.approx(
        END / 1000, abs=0.002
    )  # FFmpeg does not read it from an .mp4
    for one, other in zip(before.frames, after.frames, strict=True):
        centers = np.ix_([12, 36], [16, 48])
        assert np.abs(other[centers].astype(int) - (255 - one[centers].astype(int))).max() < 12
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("before", "after", "codec"), [(".mp4", ".webm", "opus"), (".webm", ".mov", "aac"), (".avi", ".mp4", "aac")]
)
def test_stylize_video_reencodes_unsupported_audio_in_sync(
    inverter: Path, tmp_path: Path, before: str, after: str, codec: str
) -> None:
    source, target = write_video(tmp_path / f"a{before}"), tmp_path / f"b{after}"
    run_stylize(inverter, source, target)
    name, samples, rate = read_audio(target)
    assert name == codec
    onset = np.flatnonzero(np.abs(samples) > 0.3)[0] / rate
    assert onset == pytest.approx(ONSET / 1000, abs=0.01)
    assert np.flatnonzero(np.abs(samples) > 0.3)[-1] / rate == pytest.approx(1, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_stylize_concatenated_recordings_gives_one_timeline(inverter: Path, tmp_path: Path, suffix: str) -> None:
    frames = [picture(0)] * 60
    with av.open(str(tmp_path / "a.ts"), "w") as out:
        stream, track = out.add_stream("libx264", rate=25), out.add_stream("aac", rate=48000)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for rgb in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        wave = av.AudioFrame.from_ndarray(np.ones((1, 48000 * 60 // 25), np.int16), format="s16", layout="mono")
        wave.sample_rate = 48000
        out.mux([*stream.encode(None), *track.encode(wave), *track.encode(None)])
    twice, target = tmp_path / "twice.ts", tmp_path / f"b{suffix}"
    twice.write_bytes(2 * (tmp_path / "a.ts").read_bytes())
    run_stylize(inverter, twice, target)
    times = read_video(target).times
    assert len(times) == 120 and np.diff(times).max() < 200 and np.diff(times).min() > 30
    with av.open(str(target)) as file:
        ends = [frame.time + frame.samples / frame.sample_rate for frame in file.decode(audio=0)]
    assert len(ends) > 200 and ends[-1] == pytest.approx(times[-1] / 1000, abs=0.2)


def test_stylize_rotated_video_applies_the_mask_upright(inverter: Path, tmp_path: Path) -> None:
    source, target = write_video(tmp_path / "a.mp4", rotation=90, audio=False), tmp_path / "b.mkv"
    mask = np.zeros((64, 48), np.uint8)  # the size of the upright video
    mask[:32] = 255
    run_stylize(inverter, source, target, "crf=5", f"mask={save(tmp_path / 'mask.png', mask)}")
    before, after = (np.rot90(read_video(path).frames[0]).astype(int) for path in (source, target))
    assert np.abs(after[8:24] - (255 - before[8:24])).mean() < 9 and np.abs(after[40:56] - before[40:56]).mean() < 5


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (2, 250)])
def test_stylize_video_of_any_size_pads_to_even_sides(inverter: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    pictures = [np.full((*shape, 3), level, np.uint8) for level in (60, 90, 120)]
    run_stylize(inverter, write_video(tmp_path / "a.webm", audio=False, frames=pictures), tmp_path / "b.mp4")
    times, pixels, *_ = read_video(tmp_path / "b.mp4")
    assert times == TIMES[:3] and pixels[0].shape[:2] == (shape[0] + shape[0] % 2, shape[1] + shape[1] % 2)
    assert [abs(int(rgb[0, 0, 0]) - level) < 6 for rgb, level in zip(pixels, (195, 165, 135), strict=True)] == [
        True
    ] * 3


@pytest.mark.slow
def test_stylize_video_into_folder_never_overwrites_unasked(inverter: Path, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", audio=False)
    run_stylize(inverter, source, save(tmp_path / "out" / "other.png", picture(0)).parent)
    before = (tmp_path / "out" / "a.mp4").read_bytes()
    with pytest.raises(UsageError, match=r"a\.mp4 already exists; .* overwrite=true"):
        run_stylize(inverter, source, tmp_path / "out")
    with pytest.raises(UsageError, match="would overwrite the video"):
        run_stylize(inverter, source, tmp_path, "overwrite=true")
    assert (tmp_path / "out" / "a.mp4").read_bytes() == before


def test_stylize_truncated_video_writes_its_readable_frames_and_fails(inverter: Path, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", audio=False, frames=[*noisy(10)])
    torn, target = tmp_path / "torn.mkv", tmp_path / "b.mp4"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(
        CheckFailed, match=r"torn\.mkv ends after 0\.\d of 1\.2 seconds; the \d readable frames .*b\.mp4"
    ):
        run_stylize(inverter, torn, target)
    assert 2 <= len(read_video(target).times) < 9


def test_stylize_video_with_damaged_frame_reports_it(inverter: Path, tmp_path: Path) -> None:
    source, target = write_video(tmp_path / "a.mp4", audio=False, frames=[*noisy(10)]), tmp_path / "b.mp4"
    with av.open(str(source)) as file:
        packet = [packet for packet in file.demux(video=0) if packet.size][5]
        start, end = (packet.pos or 0) + 50, (packet.pos or 0) + packet.size
    torn = bytearray(source.read_bytes())
    torn[start:end] = np.random.default_rng(0).bytes(end - start)
    source.write_bytes(torn)
    with pytest.raises(CheckFailed, match=r"a\.mp4 is damaged in \d frames?; the 10 readable frames are in .*b\.mp4"):
        run_stylize(inverter, source, target)
    assert read_video(target).times == TIMES


def noisy(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)


@pytest.mark.slow
def test_stylize_video_wrong_request_raises_one_sentence_and_changes_no_file(inverter: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 99)
    (tmp_path / "empty.mp4").touch()
    whole = write_video(tmp_path / "a.mp4")
    (tmp_path / "torn.mp4").write_bytes(whole.read_bytes()[:2000])  # without its index, which comes last
    with av.open(str(tmp_path / "sound.mkv"), "w") as out:
        track = out.add_stream("aac", rate=48000)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
        wave.sample_rate = 48000
        out.mux([*track.encode(wave), *track.encode(None)])
    mask = save(tmp_path / "mask.png", np.zeros((9, 9), np.uint8))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for source, output, settings, fault in (
        ("text.mp4", "b.mp4", [], r"text\.mp4 is not a readable video"),
        ("empty.mp4", "b.mp4", [], r"empty\.mp4 is not a readable video"),
        ("torn.mp4", "b.mp4", [], r"torn\.mp4 is truncated"),
        ("sound.mkv", "b.mp4", [], r"sound\.mkv contains no video"),
        ("gone.mp4", "b.mp4", [], r"gone\.mp4 does not exist"),
        ("a.mp4", "b.png", [], r"b\.png has no suffix of a video that can be written; choose one of \.mp4"),
        ("a.mp4", "a.mp4", [], "would overwrite the video"),
        ("a.mp4", "b.mp4", [f"mask={mask}"], r"mask\.png is 9x9, but .*a\.mp4 is 64x48; use equal aspect ratios"),
        ("a.mp4", "mask.png/b.mp4", [], r"b\.mp4 cannot be written: "),
    ):
        with pytest.raises(UsageError, match=fault) as caught:
            run_stylize(inverter, tmp_path / source, tmp_path / output, *settings)
        assert "\n" not in str(caught.value)
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_stylize_video_on_full_disk_leaves_no_file(inverter: Path, tmp_path: Path) -> None:
    source, target = write_video(tmp_path / "a.mkv", audio=False, frames=[*noisy(10)]), tmp_path / "out" / "b.mkv"
    program = (
        "import resource; from impasto.export.commands.stylize import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\nmain()"
    )
    command = [sys.executable, "-c", program, f"model={inverter}", f"input={source}", f"output={target}", "crf=5"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == f"impasto-stylize: {target} cannot be written: file too large\n"
    assert [*target.parent.iterdir()] == []


def test_stylize_camera_without_camera_raises(
    inverter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if Path("/dev/video0").exists():
        pytest.skip("this computer has a camera")
    with pytest.raises(UsageError, match="input=camera: no camera was found"):
        run_stylize(inverter, Path("camera"), tmp_path / "b.mp4")
    assert capfd.readouterr().err == "" and [*tmp_path.iterdir()] == []


def test_stylize_camera_writes_frames_until_it_ends(
    inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.export.video import camera

    # OpenCV treats a file as a camera that ends.
    monkeypatch.setattr(camera, "_CAMERA", str(write_video(tmp_path / "a.mp4", audio=False)))
    run_stylize(inverter, Path("camera"), tmp_path / "b.mp4", "strength=1")
    times, pixels, *_ = read_video(tmp_path / "b.mp4")
    assert len(times) == 9 and times == sorted({*times}) and pixels[0].shape == (48, 64, 3)


def test_stylize_frames_buffers_few_frames_and_preserves_order() -> None:
    from impasto.export.video.reader import Frame

    produced = []

    def frames() -> Any:
        for number in range(50):
            produced.append(number)
            yield Frame(np.full((2, 2, 3), number, np.uint8), number, 1)

    for number, item in enumerate(pipeline._stylize_frames(frames(), lambda rgb: rgb + 1, 3)):
        assert isinstance(item, tuple)
        assert item[0].pts == number and item[1][0, 0, 0] == number + 1
        assert len(produced) <= number + 4  # memory does not grow with the video


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_encoder_options_of_larger_frames_reduce_the_lookahead(suffix: str) -> None:
    video_format = FORMATS[suffix]
    lookahead = [
        int(video_format.encoder_options(20, pixels)[video_format.lookahead[0]])
        for pixels in (48 * 64, 1920 * 1080, 3840 * 2160, 7680 * 4320)
    ]
    assert lookahead[0] == lookahead[1] == video_format.lookahead[1]
    assert 1 <= lookahead[3] < lookahead[2] <= lookahead[1] // 4


def test_stylize_video_on_terminal_shows_progress(
    inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    screen = io.StringIO()
    monkeypatch.setattr(pipeline, "stderr_console", lambda: Console(file=screen, force_terminal=True, width=100))
    run_stylize(inverter, write_video(tmp_path / "a.mp4", audio=False), tmp_path / "b.mp4")
    assert "10/10" in screen.getvalue() and "frames/s" in screen.getvalue()


def test_stylize_video_with_strength_zero_reproduces_the_source(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", audio=False)
    network = model(tmp_path / "model.onnx")
    run_stylize(network, source, tmp_path / "b.mp4", "strength=0", "crf=5")
    assert np.abs(read_video(tmp_path / "b.mp4").frames[0].astype(int) - read_video(source).frames[0]).mean() < 3
