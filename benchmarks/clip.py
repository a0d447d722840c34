"""impasto-stylize on videos: speed against a plain loop, and memory during an hour of video.

`speed` generates a clip and stylizes it with each method, interleaved; startup, decoding and encoding are included.
`long` stylizes one clip, samples the memory of the process (Linux), and compares the ends of video and audio with the
source's; the exit code is 1 where they differ by more than a frame.

Run: python -m benchmarks.clip speed MODEL [--size 1920x1080] [--frames 50] [--rounds 3] [--methods plain ...]
     python -m benchmarks.clip long MODEL [--size 64x64] [--minutes 60] [--settings temporal_smoothing=0.7
     ...]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import plain
from benchmarks.folder import run
from benchmarks.large import Usage, in_subprocess
from impasto.models import zoo

RATE = 25  # frames a second
SAMPLES = 16_000  # of audio a second
PAN = 2  # px a frame
PAN_FRAMES = 64  # after which the pan restarts
FRACTIONS = 0.1, 0.5, 1.0  # of the run time, at which memory is reported
METHODS = {
    "plain": "whole frames, plain loop",
    "default": "impasto-stylize",
    "filtered": "impasto-stylize temporal_smoothing=0.7",
}


def make(path: Path, width: int, height: int, frames: int, audio: bool) -> None:
    """Write a pan over a generated picture in H.264, optionally with a tone in AAC."""
    import av

    from impasto.export.test_images import picture

    wide = picture(height, width + PAN * PAN_FRAMES)
    pictures = [np.ascontiguousarray(wide[:, PAN * i : PAN * i + width]) for i in range(PAN_FRAMES)]
    tone = (np.sin(np.arange(SAMPLES) / 10) * 9000).astype(np.int16)[None]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        audio_stream: Any = out.add_stream("aac", rate=SAMPLES, layout="mono") if audio else None
        for number in track(range(frames), "generating a clip", console=Console(stderr=True), transient=True):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pictures[number % PAN_FRAMES], "rgb24")))
            if audio_stream and number % RATE == 0:
                wave = av.AudioFrame.from_ndarray(tone, "s16", "mono")
                wave.sample_rate, wave.pts = SAMPLES, number // RATE * SAMPLES
                out.mux(audio_stream.encode(wave))
        out.mux([*stream.encode(None), *(audio_stream.encode(None) if audio_stream else ())])


def command(model: str, source: Path, target: Path, settings: list[str]) -> list[str]:
    """Return the command line of impasto-stylize."""
    script = str(Path(sys.executable).with_name("impasto-stylize"))
    return [script, f"model={model}", f"input={source}", f"output={target}", "stroke_resolution=native", *settings]


def speed(options: argparse.Namespace, folder: Path) -> None:
    """Stylize a clip with each method, interleaved, and print a table."""
    width, height = map(int, options.size.split("x"))
    source = folder / "clip.mp4"
    in_subprocess(make, source, width, height, options.frames, False)
    usages: dict[str, list[Usage]] = {method: [] for method in options.methods}
    for number in range(options.rounds):
        for method in options.methods:
            target = folder / f"{method}{number}.mp4"
            if method == "plain":
                file = str(zoo.resolve(options.model, ".onnx"))
                line = [sys.executable, plain.__file__, file, str(source), str(target)]
            else:
                smoothing = ["temporal_smoothing=0.7"] if method == "filtered" else []
                line = command(options.model, source, target, [*smoothing, *options.settings])
            usages[method].append(run([line]))
            target.unlink()
    table = Table(
        "method", title=f"{options.frames} frames of {options.size}, {options.model}, medians of {options.rounds}"
    )
    for column in ("frames/s", "against plain", "CPU s/frame", "peak memory, MiB"):
        table.add_column(column, justify="right")
    speeds = {name: options.frames / statistics.median(one.seconds for one in runs) for name, runs in usages.items()}
    for method, runs in usages.items():
        ratio = f"{speeds[method] / speeds['plain']:.2f}" if "plain" in speeds else ""
        cpu = statistics.median(one.cpu for one in runs) / options.frames
        row = [f"{speeds[method]:.2f}", ratio, f"{cpu:.2f}", f"{max(one.peak for one in runs):,.0f}"]
        table.add_row(METHODS[method], *row)
    Console(width=110).print(table)


def long(options: argparse.Namespace, folder: Path) -> None:
    """Stylize one clip with audio; report memory over time and the ends of video and audio."""
    width, height = map(int, options.size.split("x"))
    source, target = folder / "clip.mp4", folder / "stylized.mp4"
    frames = round(options.minutes * 60 * RATE)
    in_subprocess(make, source, width, height, frames, True)
    started, samples = time.monotonic(), list[tuple[float, int]]()
    process = subprocess.Popen(command(options.model, source, target, options.settings), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        samples.append((time.monotonic() - started, resident(process.pid)))
        time.sleep(options.interval)
    seconds = time.monotonic() - started
    if process.returncode:
        sys.exit("impasto-stylize failed")
    table = Table("run time", title=f"{options.minutes:g} minutes of {options.size}, {options.model}")
    for column in ("seconds", "memory, MiB"):
        table.add_column(column, justify="right")
    samples = [sample for sample in samples if sample[1]]
    for fraction in FRACTIONS:
        at, memory = next((sample for sample in samples if sample[0] >= fraction * seconds), samples[-1])
        table.add_row(f"{fraction:.0%}", f"{at:.0f}", f"{memory:,}")
    table.add_row("peak", "", f"{max(memory for _, memory in samples):,}")
    Console(width=110).print(table)
    print(f"{frames / seconds:.1f} frames/s")
    before, after = ends(source), ends(target)
    offsets = [round(1000 * abs(one - other), 1) for one, other in zip(before, after, strict=True)]
    print(f"{after[0]:.3f} s of video and {after[1]:.3f} s of audio, {offsets} ms from the source's")
    if max(offsets) > 1000 / RATE:
        sys.exit("video or audio ends more than a frame from the source's")


def resident(pid: int) -> int:
    """Return the resident memory of a process in MiB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmRSS:")[1].split()[0]) >> 10 if "VmRSS:" in status else 0


def ends(path: Path) -> tuple[float, float]:
    """Return when the frames and the audio of a video end, in seconds."""
    import av

    end_of = {"video": 0.0, "audio": 0.0}
    with av.open(str(path)) as clip:
        for packet in clip.demux(clip.streams.video[0], clip.streams.audio[0]):
            if packet.pts is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                end_of[packet.stream.type] = max(end_of[packet.stream.type], end)
    return end_of["video"], end_of["audio"]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True)
    for mode, size in ((speed, "1920x1080"), (long, "64x64")):
        one = modes.add_parser(mode.__name__)
        one.set_defaults(mode=mode)
        one.add_argument("model")
        one.add_argument("--size", default=size)
        one.add_argument(
            "--settings", nargs="*", default=[], help="settings of impasto-stylize, such as temporal_smoothing=0.7"
        )
        if mode is speed:
            one.add_argument("--frames", type=int, default=50)
            one.add_argument("--rounds", type=int, default=3)
            one.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
        else:
            one.add_argument("--minutes", type=float, default=60)
            one.add_argument("--interval", type=float, default=0.5, help="seconds between two samples of memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        options.mode(options, Path(name))


if __name__ == "__main__":
    main()
