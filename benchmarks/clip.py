"""Videos: how fast impasto-stylize paints one, against a plain loop, and whether an hour of it takes constant memory.

`speed` makes a clip and paints it in each way, taking turns; the start of the command, decoding and encoding are
included. `long` paints one clip, looks at the memory of the process while it runs (Linux), and compares the ends of
pictures and sound with the source's: exit code 1 where they are more than a frame apart.

Run: .venv/bin/python -m benchmarks.clip speed MODEL [--size 1920x1080] [--frames 50] [--turns 3] [--ways plain ...]
     .venv/bin/python -m benchmarks.clip long MODEL [--size 64x64] [--minutes 60] [--settings stabilize=0.7 ...]
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
from benchmarks.large import Took, apart
from impasto.models import zoo

RATE = 25  # frames a second
SAMPLES = 16_000  # of sound, a second
PAN = 2  # px a frame
ROUND = 64  # frames, after which the pan begins anew
SHARES = 0.1, 0.5, 1.0  # of the time: when memory is told
WAYS = {"plain": "whole frames, plain loop", "default": "impasto-stylize", "steady": "impasto-stylize stabilize=0.7"}


def make(path: Path, width: int, height: int, frames: int, sound: bool) -> None:
    """Write a pan over a generated picture, in H.264; with a tone, in AAC."""
    import av

    from impasto.export.golden import picture

    wide = picture(height, width + PAN * ROUND)
    shown = [np.ascontiguousarray(wide[:, PAN * i : PAN * i + width]) for i in range(ROUND)]
    tone = (np.sin(np.arange(SAMPLES) / 10) * 9000).astype(np.int16)[None]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        voice: Any = out.add_stream("aac", rate=SAMPLES, layout="mono") if sound else None
        for number in track(range(frames), "making a clip", console=Console(stderr=True), transient=True):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown[number % ROUND], "rgb24")))
            if voice and number % RATE == 0:
                wave = av.AudioFrame.from_ndarray(tone, "s16", "mono")
                wave.sample_rate, wave.pts = SAMPLES, number // RATE * SAMPLES
                out.mux(voice.encode(wave))
        out.mux([*stream.encode(None), *(voice.encode(None) if voice else ())])


def command(model: str, source: Path, target: Path, settings: list[str]) -> list[str]:
    """impasto-stylize."""
    script = str(Path(sys.executable).with_name("impasto-stylize"))
    return [script, f"model={model}", f"input={source}", f"output={target}", *settings]


def speed(options: argparse.Namespace, folder: Path) -> None:
    """Paint a clip in each way, in turns, and print a table."""
    width, height = map(int, options.size.split("x"))
    source = folder / "clip.mp4"
    apart(make, source, width, height, options.frames, False)
    found: dict[str, list[Took]] = {way: [] for way in options.ways}
    for turn in range(options.turns):
        for way in options.ways:
            target = folder / f"{way}{turn}.mp4"
            if way == "plain":
                file = str(zoo.resolve(options.model, ".onnx"))
                line = [sys.executable, plain.__file__, file, str(source), str(target)]
            else:
                steady = ["stabilize=0.7"] if way == "steady" else []
                line = command(options.model, source, target, [*steady, *options.settings])
            found[way].append(run([line]))
            target.unlink()
    table = Table(
        "way", title=f"{options.frames} frames of {options.size}, {options.model}, medians of {options.turns}"
    )
    for column in ("frames/s", "against plain", "processor s/frame", "peak memory, MiB"):
        table.add_column(column, justify="right")
    speeds = {way: options.frames / statistics.median(took.seconds for took in runs) for way, runs in found.items()}
    for way, runs in found.items():
        ratio = f"{speeds[way] / speeds['plain']:.2f}" if "plain" in speeds else ""
        processor = statistics.median(took.processor for took in runs) / options.frames
        row = [f"{speeds[way]:.2f}", ratio, f"{processor:.2f}", f"{max(took.peak for took in runs):,.0f}"]
        table.add_row(WAYS[way], *row)
    Console(width=110).print(table)


def long(options: argparse.Namespace, folder: Path) -> None:
    """Paint one clip with sound, and say what memory it took on the way, and how its ends stand."""
    width, height = map(int, options.size.split("x"))
    source, target = folder / "clip.mp4", folder / "painted.mp4"
    frames = round(options.minutes * 60 * RATE)
    apart(make, source, width, height, frames, True)
    started, seen = time.monotonic(), list[tuple[float, int]]()
    painting = subprocess.Popen(command(options.model, source, target, options.settings), stdout=subprocess.DEVNULL)
    while painting.poll() is None:
        seen.append((time.monotonic() - started, resident(painting.pid)))
        time.sleep(options.every)
    seconds = time.monotonic() - started
    if painting.returncode:
        sys.exit("impasto-stylize failed")
    table = Table("of the time", title=f"{options.minutes:g} minutes of {options.size}, {options.model}")
    for column in ("seconds", "memory, MiB"):
        table.add_column(column, justify="right")
    seen = [moment for moment in seen if moment[1]]
    for share in SHARES:
        at, memory = next((moment for moment in seen if moment[0] >= share * seconds), seen[-1])
        table.add_row(f"{share:.0%}", f"{at:.0f}", f"{memory:,}")
    table.add_row("the most", "", f"{max(memory for _, memory in seen):,}")
    Console(width=110).print(table)
    print(f"{frames / seconds:.1f} frames/s")
    before, after = ends(source), ends(target)
    apart_by = [round(1000 * abs(one - other), 1) for one, other in zip(before, after, strict=True)]
    print(f"{after[0]:.3f} s of pictures and {after[1]:.3f} s of sound, {apart_by} ms from the source's")
    if max(apart_by) > 1000 / RATE:
        sys.exit("more than a frame apart")


def resident(pid: int) -> int:
    """The memory that a process has now, in MiB; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmRSS:")[1].split()[0]) >> 10 if "VmRSS:" in status else 0


def ends(path: Path) -> tuple[float, float]:
    """When the pictures and the sound of a video end, in seconds."""
    import av

    found = {"video": 0.0, "audio": 0.0}
    with av.open(str(path)) as clip:
        for packet in clip.demux(clip.streams.video[0], clip.streams.audio[0]):
            if packet.pts is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                found[packet.stream.type] = max(found[packet.stream.type], end)
    return found["video"], found["audio"]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True)
    for mode, size in ((speed, "1920x1080"), (long, "64x64")):
        one = modes.add_parser(mode.__name__)
        one.set_defaults(mode=mode)
        one.add_argument("model")
        one.add_argument("--size", default=size)
        one.add_argument("--settings", nargs="*", default=[], help="of impasto-stylize, as stabilize=0.7")
        if mode is speed:
            one.add_argument("--frames", type=int, default=50)
            one.add_argument("--turns", type=int, default=3)
            one.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
        else:
            one.add_argument("--minutes", type=float, default=60)
            one.add_argument("--every", type=float, default=0.5, help="seconds between two looks at memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        options.mode(options, Path(name))


if __name__ == "__main__":
    main()
