"""The frontier: loss against latency against size of our networks, each trained on the same budget of images.

For each painting and network: the int8-stored ONNX file's bytes; latency at 512x512 in ONNX Runtime, the networks
taking turns; the total loss at 256 and 512 px on photos that were not trained on; the iterations of the optimizer from
noise at 256 px that one pass is worth (impasto-evaluate). Runs that HOME has are not trained again.

Run: python benchmarks/frontier.py --styles DIR --photos DIR --val DIR [--paintings NAME ...] [--steps 1200]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from benchmarks import runs
from benchmarks.quality import losses_on
from impasto.configs.schema import LossConfig
from impasto.export import onnx_file, variants
from impasto.export.label import Label
from impasto.models import checkpoint, exported, files, vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.models.pictures import Picture, write
from impasto.train import judged
from impasto.train.photos import PhotoSet, validation_crops

REFERENCE = "johnson"
SIZES = (256, 512)
SIDE = 512  # px, of the latency
THREADS = 2
RUNS = 5  # of a turn
COLOURS = {"johnson": "#1f2937", "mobile": "#2563eb", "tiny": "#d97706"}

Row = dict[str, Any]


def exported_bytes(path: Path) -> tuple[bytes, bytes]:
    """A checkpoint as ONNX: with float32 weights, and with int8-stored ones."""
    network, card = checkpoint.load(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        onnx_file.write(network, file, "pixels", Label.of(card))
        return file.read_bytes(), variants.int8_stored(onnx.load(file)).SerializeToString(deterministic=True)


def latencies(models: dict[str, bytes], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each model in each of its turns: the median of RUNS after one that does not count.

    That one gives the threads of the model before time to go to sleep.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 4), np.uint8)
    sessions = {name: exported.open_session(model, THREADS) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, session in sessions.items():
            turn = []
            for _ in range(1 + RUNS):
                started = time.perf_counter()
                session.run(["stylized"], {"image": pixels})
                turn.append(1000 * (time.perf_counter() - started))
            times[name].append(statistics.median(turn[1:]))
    return times


def losses(path: Path, painting: Path, val: Path, photos: int) -> Row:
    """Median total loss at each size, and at 256 px its parts."""
    network, _ = checkpoint.load(path)
    found = judged.load(path)
    settings: LossConfig = found.loss_with("auto")
    loss = PerceptualLoss(settings, vgg_weights.load("auto"), found.painting(str(painting)).pixels)
    row: Row = {}
    for size in SIZES:
        held_out = PhotoSet(val, "--val")
        held_out.names = held_out.names[:photos]
        crops, _, _ = validation_crops(held_out, size)
        values, _ = losses_on(network, loss, crops)
        row[f"total_{size}"] = statistics.median(value.total.item() for value in values)
        if size == SIZES[0]:
            for name in ("content", "style"):
                row[name] = statistics.median(getattr(value, name).item() for value in values)
    return row


def worth(path: Path, painting: Path, val: Path, home: Path, photos: int, iterations: int, name: str) -> Row:
    """Medians of impasto-evaluate at 256 px from noise: worth, ratio, artefacts, flicker."""
    output = home / "evaluations" / name
    command = [str(Path(sys.executable).with_name("impasto-evaluate")), f"checkpoint={path}", f"photos={val}"]
    command += [f"style={painting}", f"output={output}", f"cache={home / 'trajectories'}", "evaluate.sizes=[256]"]
    command += ["evaluate.starts=[noise]", f"evaluate.count={photos}", f"evaluate.iterations={iterations}"]
    subprocess.run(command, check=True)
    (medians,) = json.loads((output / "evaluation.json").read_text())["medians"]
    return {name: medians[name] for name in ("worth", "ratio", "artefacts", "flicker")}


def markdown(rows: list[Row]) -> str:
    """The table of all runs, losses and latency against the reference of the same painting."""
    head = ("painting", "network", "int8 file", "latency", "times faster", "loss 256 px", "of johnson's", "512 px")
    lines = [
        f"| {' | '.join((*head, 'worth', 'of the best', 'flicker'))} |",
        f"|{' --- |' * (len(head) + 3)}",
    ]
    for row in rows:
        cells = [
            *(row["painting"], f"`{row['model']}{row['label']}`", f"{row['bytes']:,}", f"{row['ms']:.1f} ms"),
            *(f"{row['faster']:.1f}", f"{row['total_256']:,.0f}", f"{row['against_256']:.2f}"),
            *(f"{row['against_512']:.2f}", f"{row['worth']:g}", f"{row['ratio']:.2f}", f"{row['flicker']['both']:.1f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(rows: list[Row], path: Path) -> None:
    """Loss against latency, each network's files as circles whose area grows with their bytes."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        sizes = [30 + row["bytes"] / 2000 for row in own]
        axes.scatter(
            [row["ms"] for row in own],
            [row["against_256"] for row in own],
            sizes,
            color=COLOURS.get(model),
            alpha=0.6,
            label=f"{model}: {own[0]['bytes'] / 1000:,.0f} kB, {own[0]['faster']:.0f}x as fast",
        )
        for row in own:
            place = row["ms"], row["against_256"]
            text = f"{row['painting']}, worth {row['worth']:g}"
            axes.annotate(text, place, xytext=(6, 4), textcoords="offset points", fontsize=7)
    axes.set(
        xscale="log",
        xlabel=f"ms at {SIDE}x{SIDE}, ONNX Runtime, {THREADS} threads",
        ylabel=f"total loss at 256 px, of {REFERENCE}'s",
        title="loss against latency; area: bytes of the int8-stored file",
    )
    axes.margins(x=0.35, y=0.15)
    axes.grid(alpha=0.3, which="both")
    for handle in axes.legend(fontsize=8).legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([40])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)


def main() -> None:
    """Train what is missing, measure, write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("styles", "photos", "val"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--paintings", nargs="+", default=["starry_night", "great_wave", "udnie"])
    parser.add_argument("--models", nargs="+", default=["johnson", "mobile", "tiny"])
    parser.add_argument("--steps", type=int, default=1200, help="of 4 photos")
    parser.add_argument("--home", type=Path, default=Path("outputs/frontier"))
    parser.add_argument("--rounds", type=int, default=15, help="of the latency")
    parser.add_argument("--count", type=int, default=16, help="photos for the losses")
    parser.add_argument("--judged", type=int, default=3, help="photos for worth")
    parser.add_argument("--iterations", type=int, default=120)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    rows: list[Row] = []
    for painting in runs.paintings(options.styles, options.paintings):
        for model in options.models:
            path = runs.train(options.home, painting, model, options.photos, options.steps)
            whole, small = exported_bytes(path)
            figures = losses(path, painting.path, options.val, options.count)
            judges = options.val, options.home, options.judged, options.iterations
            figures |= worth(path, painting.path, *judges, path.parent.name)
            rows.append({"painting": painting.name, "model": model, "label": "", "bytes": len(small)} | figures)
            rows[-1]["whole"] = whole
    times = latencies({row["model"]: row.pop("whole") for row in rows}, options.rounds)
    for row in rows:
        of = {other["model"]: other for other in rows if other["painting"] == row["painting"]}
        row["ms"] = statistics.median(times[row["model"]])
        row["faster"] = statistics.median(
            slow / fast for slow, fast in zip(times[REFERENCE], times[row["model"]], strict=True)
        )
        for size in SIZES:
            row[f"against_{size}"] = row[f"total_{size}"] / of[REFERENCE][f"total_{size}"]
    files.write_json(options.home / "frontier.json", {"steps": options.steps, "batch": 4, "rows": rows})
    (options.home / "frontier.md").write_text(markdown(rows))
    plot(rows, options.home / "frontier.png")
    print(markdown(rows))


if __name__ == "__main__":
    main()
