"""impasto-evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.schema import EvaluateConfig

if TYPE_CHECKING:
    from impasto.train.evaluation import Result

SHOWN = 4  # photos on the contact sheet


def main() -> None:
    """Judge a network by the optimizer."""
    run("evaluate", task)


def task(config: EvaluateConfig) -> None:
    """Compare network and optimizer on each photo at each size; write figures, curves and a contact sheet."""
    from rich.console import Console
    from rich.table import Table

    from impasto.models import artefacts, checkpoint, files, vgg_weights, zoo
    from impasto.models.losses import PerceptualLoss
    from impasto.train import evaluation, hardware, judged, photos
    from impasto.train.display import Display

    output = Path(config.output)
    if output.exists() and not output.is_dir():
        raise RequestError(f"output={output} is a file; name a folder")
    source = zoo.resolve(config.checkpoint, checkpoint.SUFFIX)
    network = judged.load(source)
    photo_set = photos.PhotoSet(Path(config.photos), "photos")
    photo_set.names = photo_set.names[: config.evaluate.count]
    painting = network.painting(config.style)
    settings = network.loss_with(config.weights)
    hardware.keep_memory()
    loss = PerceptualLoss(settings, vgg_weights.load(config.weights, settings.network), painting.pixels)
    key = evaluation.loss_key(network.card["loss"], painting.sha256, network.style.size)
    results: list[Result] = []
    steps = len(photo_set.names) * len(config.evaluate.sizes) * len(config.evaluate.starts)
    with Display(f"evaluating {source.name}") as display:
        for size in config.evaluate.sizes:
            crops, names, skipped = photos.validation_crops(photo_set, size)
            for line in skipped:
                display.say(line)
            for crop, name in zip(crops.numpy(), names, strict=True):
                done = len(results) * len(config.evaluate.starts)

                def show(start: str, iterate: Any, done: int = done, size: int = size) -> None:
                    place = done + config.evaluate.starts.index(start) + iterate.iteration / config.evaluate.iterations
                    text = f"{size} px from {start}, iteration {iterate.iteration}: {iterate.losses['total']:,.0f}"
                    display.note(place / steps, text)

                results.append(evaluation.judge(network.run, loss, crop, name, config, key, show))
    rows = evaluation.summary(results)
    output.mkdir(parents=True, exist_ok=True)
    facts = {
        "checkpoint": {"style": network.style.name, "output": network.output}
        | {name: network.card[name] for name in ("model", "training") if name in network.card},
        "loss": network.card["loss"],
        "yardstick": vars(evaluation.YARDSTICK) | {"iterations": config.evaluate.iterations, "seed": config.seed},
        "medians": rows,
        "painting": {"artefacts": artefacts.figures(painting.pixels)},
        "photos": [result.as_json() for result in results],
    }
    files.write_json(output / "evaluation.json", facts)
    _pictures(results, output)
    table = Table("size", "optimizer from", "worth, iterations", "loss / optimizer's best", "total", "content", "style")
    for row in rows:
        over = "+" if row["worth"] >= config.evaluate.iterations else ""
        losses = [f"{row[name]:,.0f}" for name in ("total", "content", "style")]
        table.add_row(f"{row['size']}", row["start"], f"{row['worth']:g}{over}", f"{row['ratio']:.2f}", *losses)
    Console().print(table)
    _show_artefacts(rows, facts["painting"]["artefacts"])
    print(f"{output}: evaluation.json, curves.png, sheet.png")
    evaluation.gate(rows, config.evaluate)


def _show_artefacts(rows: list[dict[str, Any]], painting: dict[str, float]) -> None:
    """Print what the network's pictures, the photos and the painting have of each artefact, and how videos flicker."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "size",
        "pictures",
        "lattice",
        "blobs a megapixel",
        "border",
        "pan",
        "noise",
        title="artefacts; flicker by pan and noise",
    )
    flicker = {(f"{row['size']}", "network"): row["flicker"] for row in rows}
    lines = {(f"{row['size']}", of): row["artefacts"][of] for row in rows for of in ("network", "photo")}
    for (size, of), figures in (lines | {("", "painting"): painting}).items():
        steady = [f"{flicker[size, of][name]:.2f}" for name in ("pan", "noise")] if (size, of) in flicker else []
        numbers = f"{figures['lattice']:.2f}", f"{figures['blobs']:.1f}", f"{figures['border']:.3f}"
        table.add_row(size, of, *numbers, *steady)
    Console().print(table)


def _pictures(results: list["Result"], output: Path) -> None:
    """Write curves.png, the optimizer's losses with the network's as a line, and sheet.png, what each painted."""
    from impasto.train import evaluation, sheets

    size = results[0].size
    first = [result for result in results if result.size == size]
    start = next(iter(first[0].trajectories))
    rows = []
    for result in first[:SHOWN]:
        trajectory, equal = result.trajectories[start], result.worth[start]
        rows.append([result.pixels, result.network, trajectory.picture(equal), trajectory.best_picture])
    captions = ("photo", "network", f"optimizer from {start} at equal loss", "optimizer's best")
    sheets.write_sheet(output / "sheet.png", rows, captions)
    sheets.write_trajectories(output / "curves.png", evaluation.ways(results))
