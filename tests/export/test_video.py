"""Videos through impasto-stylize, on a file that inverts colours: times, turn, sound stay; what is broken is said."""

import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from impasto.configs.errors import CheckError, RequestError
from impasto.export import video
from impasto.export.containers import CONTAINERS
from tests.export.conftest import ask, save
from tests.models.made_models import model

av = pytest.importorskip("av")
TIMES = [0, 40, 80, 200, 240, 500, 540, 580, 900, 1000]  # ms
END, ONSET = 1200, 500  # ms: of the last frame, of the tone
COLOURS = np.array([[200, 40, 60], [40, 190, 70], [50, 60, 200], [180, 180, 170]], np.uint8)
SOUNDS = {
    ".mp4": ("libx264", "aac"),
    ".mkv": ("libx264", "aac"),
    ".webm": ("libvpx-vp9", "libopus"),
    ".avi": ("mpeg4", "pcm_s16le"),
    ".ts": ("libx264", "aac"),
}


def picture(number: int) -> NDArray[np.uint8]:
    """48x64, a colour in each quarter; the upper left one grows darker from frame to frame."""
    rgb = np.repeat(np.repeat(COLOURS.reshape(2, 2, 3), 24, 0), 32, 1)
    rgb[:24, :32] -= np.uint8(4 * number)
    return rgb


def clip(path: Path, turn: int = 0, sound: bool = True, frames: list[NDArray[np.uint8]] | None = None) -> Path:
    """A video of variable frame rate, the last frame of which stays 200 ms; its sound is a tone from 500 ms on."""
    codec, other = SOUNDS[path.suffix]
    made = frames or [picture(number) for number in range(len(TIMES))]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *made[0].shape[:2], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration
        if turn:
            stream.set_display_rotation(turn)
        track = out.add_stream(other, rate=48000) if sound else None
        for (pts, end), rgb in zip(pairwise([*TIMES, END]), made, strict=False):
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


def seen(path: Path) -> tuple[list[int], list[Any], list[bytes], Any]:
    """Times in ms, frames as they are stored, packets of sound, rotation."""
    with av.open(str(path)) as file:
        frames = [*file.decode(video=0)]
        times = [round(1000 * float(frame.pts * frame.time_base)) for frame in frames]
        pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    with av.open(str(path)) as file:
        sound = (
            [bytes(packet) for packet in file.demux(audio=0) if packet.dts is not None] if file.streams.audio else []
        )
    return times, pixels, sound, frames[0].rotation


def heard(path: Path) -> tuple[str, NDArray[np.float32], int]:
    """The codec of the sound, its samples from the time 0 on, and their rate."""
    with av.open(str(path)) as file:
        frames = [*file.decode(audio=0)]
        name, rate = file.streams.audio[0].codec_context.codec.canonical_name, frames[0].sample_rate
        samples = np.zeros(4 * rate, np.float32)
        for frame in frames:
            values = frame.to_ndarray()[0].astype(np.float32)
            samples[(start := max(0, round(frame.time * rate))) : start + len(values)] = values
    return name, samples / np.abs(samples).max(), rate


def length(path: Path) -> float:
    """The end of the last frame, in seconds."""
    with av.open(str(path)) as file:
        return max(float((frame.pts + frame.duration) * frame.time_base) for frame in file.decode(video=0))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_times_turn_and_sound_stay(
    inverter: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = clip(tmp_path / f"a{suffix}", turn=90), tmp_path / "new" / f"b{suffix}"
    ask(inverter, source, target, "crf=5")
    assert capsys.readouterr() == (f"10 frames written to {target}\n", "")
    before, after = seen(source), seen(target)
    assert before[0] == after[0] == TIMES
    assert after[2] == before[2] and len(after[2]) > 20
    assert before[3] == after[3] == 90
    assert suffix == ".mp4" or length(target) == pytest.approx(END / 1000, abs=0.002)  # FFmpeg reads it off no .mp4
    for one, other in zip(before[1], after[1], strict=True):
        centres = np.ix_([12, 36], [16, 48])
        assert np.abs(other[centres].astype(int) - (255 - one[centres].astype(int))).max() < 12
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("before", "after", "codec"), [(".mp4", ".webm", "opus"), (".webm", ".mov", "aac"), (".avi", ".mp4", "aac")]
)
def test_sound_that_the_container_cannot_hold_is_encoded_anew(
    inverter: Path, tmp_path: Path, before: str, after: str, codec: str
) -> None:
    source, target = clip(tmp_path / f"a{before}"), tmp_path / f"b{after}"
    ask(inverter, source, target)
    name, samples, rate = heard(target)
    assert name == codec
    onset = np.flatnonzero(np.abs(samples) > 0.3)[0] / rate
    assert onset == pytest.approx(ONSET / 1000, abs=0.01)
    assert np.flatnonzero(np.abs(samples) > 0.3)[-1] / rate == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_recordings_put_end_to_end(inverter: Path, tmp_path: Path, suffix: str) -> None:
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
    ask(inverter, twice, target)
    times = seen(target)[0]
    assert len(times) == 120 and np.diff(times).max() < 200 and np.diff(times).min() > 30
    with av.open(str(target)) as file:
        ends = [frame.time + frame.samples / frame.sample_rate for frame in file.decode(audio=0)]
    assert len(ends) > 200 and ends[-1] == pytest.approx(times[-1] / 1000, abs=0.2)


def test_it_is_painted_upright(inverter: Path, tmp_path: Path) -> None:
    source, target = clip(tmp_path / "a.mp4", turn=90, sound=False), tmp_path / "b.mkv"
    mask = np.zeros((64, 48), np.uint8)  # as large as the video is seen
    mask[:32] = 255
    ask(inverter, source, target, "crf=5", f"mask={save(tmp_path / 'mask.png', mask)}")
    before, after = (np.rot90(seen(path)[1][0]).astype(int) for path in (source, target))
    assert np.abs(after[8:24] - (255 - before[8:24])).mean() < 9 and np.abs(after[40:56] - before[40:56]).mean() < 5


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (2, 250)])
def test_any_size(inverter: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    made = [np.full((*shape, 3), level, np.uint8) for level in (60, 90, 120)]
    ask(inverter, clip(tmp_path / "a.webm", sound=False, frames=made), tmp_path / "b.mp4")
    times, pixels, *_ = seen(tmp_path / "b.mp4")
    assert times == TIMES[:3] and pixels[0].shape[:2] == (shape[0] + shape[0] % 2, shape[1] + shape[1] % 2)
    assert [abs(int(rgb[0, 0, 0]) - level) < 6 for rgb, level in zip(pixels, (195, 165, 135), strict=True)] == [
        True
    ] * 3


def test_into_a_folder_and_never_over_what_is_there(inverter: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", sound=False)
    ask(inverter, source, save(tmp_path / "out" / "other.png", picture(0)).parent)
    before = (tmp_path / "out" / "a.mp4").read_bytes()
    with pytest.raises(RequestError, match=r"a\.mp4 exists already; .* overwrite=true"):
        ask(inverter, source, tmp_path / "out")
    with pytest.raises(RequestError, match="would overwrite the video"):
        ask(inverter, source, tmp_path, "overwrite=true")
    assert (tmp_path / "out" / "a.mp4").read_bytes() == before


def test_a_video_that_breaks_off_is_kept_as_far_as_it_goes(inverter: Path, tmp_path: Path) -> None:
    whole = clip(tmp_path / "a.mkv", sound=False, frames=[*noisy(10)])
    torn, target = tmp_path / "torn.mkv", tmp_path / "b.mp4"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(CheckError, match=r"torn\.mkv breaks off after 0\.\d of 1\.2 seconds; the \d frames .*b\.mp4"):
        ask(inverter, torn, target)
    assert 2 <= len(seen(target)[0]) < 9


def test_a_damaged_frame_in_the_middle_is_said(inverter: Path, tmp_path: Path) -> None:
    source, target = clip(tmp_path / "a.mp4", sound=False, frames=[*noisy(10)]), tmp_path / "b.mp4"
    with av.open(str(source)) as file:
        packet = [packet for packet in file.demux(video=0) if packet.size][5]
        start, end = (packet.pos or 0) + 50, (packet.pos or 0) + packet.size
    torn = bytearray(source.read_bytes())
    torn[start:end] = np.random.default_rng(0).bytes(end - start)
    source.write_bytes(torn)
    with pytest.raises(CheckError, match=r"a\.mp4 is damaged in \d frames?; the 10 frames that .* are in .*b\.mp4"):
        ask(inverter, source, target)
    assert seen(target)[0] == TIMES


def noisy(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)


def test_wrong_requests_get_one_sentence_and_change_nothing(inverter: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    (tmp_path / "empty.mp4").touch()
    whole = clip(tmp_path / "a.mp4")
    (tmp_path / "torn.mp4").write_bytes(whole.read_bytes()[:2000])  # without its index, which comes last
    with av.open(str(tmp_path / "sound.mkv"), "w") as out:
        track = out.add_stream("aac", rate=48000)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
        wave.sample_rate = 48000
        out.mux([*track.encode(wave), *track.encode(None)])
    mask = save(tmp_path / "mask.png", np.zeros((9, 9), np.uint8))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for source, output, settings, fault in (
        ("text.mp4", "b.mp4", [], r"text\.mp4 is no video that can be read"),
        ("empty.mp4", "b.mp4", [], r"empty\.mp4 is no video that can be read"),
        ("torn.mp4", "b.mp4", [], r"torn\.mp4 is cut short"),
        ("sound.mkv", "b.mp4", [], r"sound\.mkv holds no video"),
        ("gone.mp4", "b.mp4", [], r"gone\.mp4 does not exist"),
        ("a.mp4", "b.png", [], r"b\.png does not end in a suffix of a video that we write; choose one of \.mp4"),
        ("a.mp4", "a.mp4", [], "would overwrite the video"),
        ("a.mp4", "b.mp4", [f"mask={mask}"], r"mask\.png is 9x9, but .*a\.mp4 is 64x48; give one of the same shape"),
        ("a.mp4", "mask.png/b.mp4", [], r"b\.mp4 cannot be written: "),
    ):
        with pytest.raises(RequestError, match=fault) as caught:
            ask(inverter, tmp_path / source, tmp_path / output, *settings)
        assert "\n" not in str(caught.value)
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_disk_that_runs_full(inverter: Path, tmp_path: Path) -> None:
    source, target = clip(tmp_path / "a.mkv", sound=False, frames=[*noisy(10)]), tmp_path / "out" / "b.mkv"
    program = (
        "import resource; from impasto.export.stylize import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\nmain()"
    )
    command = [sys.executable, "-c", program, f"model={inverter}", f"input={source}", f"output={target}", "crf=5"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == f"impasto-stylize: {target} cannot be written: file too large\n"
    assert [*target.parent.iterdir()] == []


def test_no_camera(inverter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if Path("/dev/video0").exists():
        pytest.skip("this computer has a camera")
    with pytest.raises(RequestError, match="input=camera finds no camera"):
        ask(inverter, Path("camera"), tmp_path / "b.mp4")
    assert capfd.readouterr().err == "" and [*tmp_path.iterdir()] == []


def test_a_camera_is_painted_until_ctrl_c(inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.export import clip as clips

    # To OpenCV, a file is a camera that ends.
    monkeypatch.setattr(clips, "_CAMERA", str(clip(tmp_path / "a.mp4", sound=False)))
    ask(inverter, Path("camera"), tmp_path / "b.mp4", "strength=1")
    times, pixels, *_ = seen(tmp_path / "b.mp4")
    assert len(times) == 9 and times == sorted({*times}) and pixels[0].shape == (48, 64, 3)


def test_few_frames_wait_and_all_come_in_order() -> None:
    from impasto.export.clip import Frame

    made = []

    def frames() -> Any:
        for number in range(50):
            made.append(number)
            yield Frame(np.full((2, 2, 3), number, np.uint8), number, 1)

    for number, item in enumerate(video._painted(frames(), lambda rgb: rgb + 1, 3)):
        assert isinstance(item, tuple)
        assert item[0].pts == number and item[1][0, 0, 0] == number + 1
        assert len(made) <= number + 4  # memory does not grow with the video


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_encoders_hold_no_more_bytes_of_larger_frames(suffix: str) -> None:
    kind = CONTAINERS[suffix]
    held = [
        int(kind.settings(20, pixels)[kind.ahead[0]]) for pixels in (48 * 64, 1920 * 1080, 3840 * 2160, 7680 * 4320)
    ]
    assert held[0] == held[1] == kind.ahead[1] and 1 <= held[3] < held[2] <= held[1] // 4


def test_progress_on_a_terminal(inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    screen = io.StringIO()
    monkeypatch.setattr(video, "Console", lambda **_: Console(file=screen, force_terminal=True, width=100))
    ask(inverter, clip(tmp_path / "a.mp4", sound=False), tmp_path / "b.mp4")
    assert "10/10" in screen.getvalue() and "frames/s" in screen.getvalue()


def test_strength_and_colours(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", sound=False)
    network = model(tmp_path / "model.onnx", strength=True)
    ask(network, source, tmp_path / "b.mp4", "strength=0", "crf=5")
    assert np.abs(seen(tmp_path / "b.mp4")[1][0].astype(int) - seen(source)[1][0]).mean() < 3
