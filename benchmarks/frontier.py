"""The frontier: loss, latency and size of impasto's networks, each trained on the same budget of images.

For each painting and network: the size of the int8-stored ONNX file; the latency at 512x512 in ONNX Runtime, with the
networks interleaved; the total loss at 256 and 512 px on photos that were not trained on; and the equivalent L-BFGS
iterations from noise at 256 px (impasto-evaluate). Runs that are finished in the folder `--home` are not repeated.

Run: python -m benchmarks.frontier --styles DIR --photos DIR --val DIR [--paintings NAME ...] [--steps 1200]
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
from impasto.configs import atomic_file
from impasto.export.onnx_graph import weight_compression
from impasto.models import checkpoint, onnx_model, onnx_writer
from impasto.models.contract import Label
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data.dataset import PhotoSet, validation_crops
from impasto.train.evaluation import loaded_model

REFERENCE = "johnson"
SIZES = (256, 512)
LATENCY_SIDE = 512  # px
THREADS = 2
REPEATS = 5  # in a round
COLORS = {"johnson": "#1f2937", "mobile": "#2563eb", "tiny": "#d97706"}

Row = dict[str, Any]


def exported_bytes(path: Path) -> tuple[bytes, bytes]:
    """Export a checkpoint to ONNX, with float32 weights and with int8-stored weights."""
    network, card = checkpoint.load_any(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        onnx_writer.write(network, file, "uint8_rgba", Label.of(card))
        return file.read_bytes(), weight_compression.int8_stored(onnx.load(file)).SerializeToString(deterministic=True)


def latencies(models: dict[str, bytes], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each model in each round: the median of REPEATS, after one discarded run.

    During the discarded run the threads of the previous model go to sleep.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (1, LATENCY_SIDE, LATENCY_SIDE, 4), np.uint8)
    sessions = {name: onnx_model.open_session(model, THREADS) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, session in sessions.items():
            milliseconds = []
            for _ in range(1 + REPEATS):
                started = time.perf_counter()
                session.run(["stylized"], {"image": pixels})
                milliseconds.append(1000 * (time.perf_counter() - started))
            times[name].append(statistics.median(milliseconds[1:]))
    return times


def losses(path: Path, painting: Path, val: Path, photos: int) -> Row:
    """Return the median total loss at each size, and its terms at 256 px."""
    network, _ = checkpoint.load(path)
    model = loaded_model.load(path)
    loss = PerceptualLoss(model.loss_config("auto"), weights.load("auto"), model.style_image(str(painting)).pixels)
    row: Row = {}
    for size in SIZES:
        val_photos = PhotoSet(val, "--val")
        val_photos.names = val_photos.names[:photos]
        crops, _, _ = validation_crops(val_photos, size)
        values, _ = losses_on(network, loss, crops)
        row[f"total_{size}"] = statistics.median(value.total.item() for value in values)
        if size == SIZES[0]:
            for name in ("content", "style"):
                row[name] = statistics.median(getattr(value, name).item() for value in values)
    return row


def evaluate(path: Path, painting: Path, val: Path, home: Path, photos: int, iterations: int, name: str) -> Row:
    """Return the medians of impasto-evaluate at 256 px from noise: equivalent iterations, ratio, artifacts, flicker."""
    output = home / "evaluations" / name
    command = [str(Path(sys.executable).with_name("impasto-evaluate")), f"checkpoint={path}", f"photos={val}"]
    command += [
        f"style={painting}",
        f"output={output}",
        f"cache={home / 'trajectories'}",
        "evaluate.sizes=[256]",
        "evaluate.display=null",
    ]
    command += ["evaluate.starts=[noise]", f"evaluate.count={photos}", f"evaluate.iterations={iterations}"]
    subprocess.run(command, check=True)
    (medians,) = json.loads((output / "evaluation.json").read_text())["medians"]
    return {name: medians[name] for name in ("equivalent_iterations", "ratio", "artifacts", "flicker")}


def markdown(rows: list[Row]) -> str:
    """Return the table of all runs; losses and latency are relative to REFERENCE on the same painting."""
    head = (
        *(
            "painting",
            "network",
            "int8 file",
            "latency",
            "times faster",
            "loss 256 px",
            "/ johnson's",
            "512 px / johnson's",
        ),
        *("equivalent L-BFGS iterations", "loss / optimizer's best", "flicker"),
    )
    lines = [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
    ]
    for row in rows:
        cells = [
            *(row["painting"], f"`{row['model']}{row['label']}`", f"{row['bytes']:,}", f"{row['ms']:.1f} ms"),
            *(f"{row['faster']:.1f}", f"{row['total_256']:,.0f}", f"{row['relative_256']:.2f}"),
            *(
                f"{row['relative_512']:.2f}",
                f"{row['equivalent_iterations']:g}",
                f"{row['ratio']:.2f}",
                f"{row['flicker']['both']:.1f}",
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(rows: list[Row], path: Path) -> None:
    """Plot loss against latency, as circles whose area grows with the size of the file."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for model in dict.fromkeys(row["model"] for row in rows):
        group = [row for row in rows if row["model"] == model]
        sizes = [30 + row["bytes"] / 2000 for row in group]
        axes.scatter(
            [row["ms"] for row in group],
            [row["relative_256"] for row in group],
            sizes,
            color=COLORS.get(model),
            alpha=0.6,
            label=f"{model}: {group[0]['bytes'] / 1000:,.0f} kB, {group[0]['faster']:.0f}x as fast",
        )
        for row in group:
            text = f"{row['painting']}, {row['equivalent_iterations']:g} equivalent iterations"
            axes.annotate(text, (row["ms"], row["relative_256"]), xytext=(6, 4), textcoords="offset points", fontsize=7)
    axes.set(
        xscale="log",
        xlabel=f"ms at {LATENCY_SIDE}x{LATENCY_SIDE}, ONNX Runtime, {THREADS} threads",
        ylabel=f"total loss at 256 px / {REFERENCE}'s",
        title="loss and latency; area: size of the int8-stored file",
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
    """Train the missing networks, measure all, and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("styles", "photos", "val"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--paintings", nargs="+", default=["starry_night", "great_wave", "udnie"])
    parser.add_argument("--models", nargs="+", default=["johnson", "mobile", "tiny"])
    parser.add_argument("--steps", type=int, default=1200, help="of batch size 4")
    parser.add_argument("--home", type=Path, default=Path("outputs/frontier"))
    parser.add_argument("--rounds", type=int, default=15, help="of the latency measurement")
    parser.add_argument("--count", type=int, default=16, help="photos for the losses")
    parser.add_argument("--evaluated", type=int, default=3, help="photos for equivalent iterations")
    parser.add_argument("--iterations", type=int, default=120)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    rows: list[Row] = []
    for painting in runs.paintings(options.styles, options.paintings):
        for model in options.models:
            path = runs.train(options.home, painting, model, options.photos, options.steps)
            float32, int8 = exported_bytes(path)
            figures = losses(path, painting.path, options.val, options.count)
            evaluation = options.val, options.home, options.evaluated, options.iterations
            figures |= evaluate(path, painting.path, *evaluation, path.parent.name)
            rows.append({"painting": painting.name, "model": model, "label": "", "bytes": len(int8)} | figures)
            rows[-1]["float32"] = float32
    times = latencies({row["model"]: row.pop("float32") for row in rows}, options.rounds)
    for row in rows:
        models = {other["model"]: other for other in rows if other["painting"] == row["painting"]}
        row["ms"] = statistics.median(times[row["model"]])
        row["faster"] = statistics.median(
            slow / fast for slow, fast in zip(times[REFERENCE], times[row["model"]], strict=True)
        )
        for size in SIZES:
            row[f"relative_{size}"] = row[f"total_{size}"] / models[REFERENCE][f"total_{size}"]
    atomic_file.write_json(options.home / "frontier.json", {"steps": options.steps, "batch_size": 4, "rows": rows})
    (options.home / "frontier.md").write_text(markdown(rows))
    plot(rows, options.home / "frontier.png")
    print(markdown(rows))


if __name__ == "__main__":
    main()
