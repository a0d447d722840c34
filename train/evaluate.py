"""impasto-evaluate."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.schema import EvaluateConfig, LossConfig, StyleConfig

if TYPE_CHECKING:
    from impasto.train.evaluation import Result
    from impasto.train.style import Style

SHOWN = 4  # photos on the contact sheet


def main() -> None:
    """Judge a network by the optimizer."""
    run("evaluate", task)


def task(config: EvaluateConfig) -> None:
    """Compare network and optimizer on each photo at each size; write figures, curves and a contact sheet."""
    from rich.console import Console
    from rich.table import Table

    from impasto.models import checkpoint, vgg_weights
    from impasto.models.losses import PerceptualLoss
    from impasto.train import evaluation, hardware, photos
    from impasto.train.display import Display

    network, card = checkpoint.load(Path(config.checkpoint))
    photo_set = photos.PhotoSet(Path(config.photos), "photos")
    photo_set.names = photo_set.names[: config.evaluate.count]
    painting = _style(config, card)
    settings = _loss_config(card, config.weights)
    hardware.keep_memory()
    loss = PerceptualLoss(settings, vgg_weights.load(config.weights), painting.pixels)
    key = evaluation.loss_key(card["loss"], painting.sha256, card["style"]["size"])
    results: list[Result] = []
    steps = len(photo_set.names) * len(config.evaluate.sizes) * len(config.evaluate.starts)
    with Display(f"evaluating {Path(config.checkpoint).name}") as display:
        for size in config.evaluate.sizes:
            crops, skipped = photos.validation_crops(photo_set, size)
            names = [
                name for name in photo_set.names if not any(f"{photo_set.root}/{name} " in line for line in skipped)
            ]
            for line in skipped:
                display.say(line)
            for index, crop in enumerate(crops.numpy()):
                done = len(results) * len(config.evaluate.starts)

                def show(start: str, iterate: Any, done: int = done, size: int = size) -> None:
                    place = done + config.evaluate.starts.index(start) + iterate.iteration / config.evaluate.iterations
                    text = f"{size} px from {start}, iteration {iterate.iteration}: {iterate.losses['total']:,.0f}"
                    display.note(place / steps, text)

                results.append(evaluation.judge(network, loss, crop, names[index], config, key, show))
    rows = evaluation.summary(results)
    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    facts = {
        "checkpoint": {"model": card["model"], "style": card["style"]["name"], "training": card["training"]},
        "loss": card["loss"],
        "yardstick": vars(evaluation.YARDSTICK) | {"iterations": config.evaluate.iterations, "seed": config.seed},
        "medians": rows,
        "photos": [result.as_json() for result in results],
    }
    aside = output / ".evaluation.json.part"
    aside.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    aside.replace(output / "evaluation.json")
    _pictures(results, output)
    table = Table("size", "optimizer from", "worth, iterations", "loss / optimizer's best", "total", "content", "style")
    for row in rows:
        over = "+" if row["worth"] >= config.evaluate.iterations else ""
        losses = [f"{row[name]:,.0f}" for name in ("total", "content", "style")]
        table.add_row(f"{row['size']}", row["start"], f"{row['worth']:g}{over}", f"{row['ratio']:.2f}", *losses)
    Console().print(table)
    print(f"{output}: evaluation.json, curves.png, sheet.png")
    evaluation.gate(rows, config.evaluate)


def _style(config: EvaluateConfig, card: dict[str, Any]) -> "Style":
    """The painting that the network was trained on; RequestError for another one."""
    from impasto.train import style

    known = {item.name for item in fields(StyleConfig)}
    settings = StyleConfig(
        **{name: value for name, value in card["style"].items() if name in known}, image=config.style
    )
    if config.style is None and settings.painter is None:
        raise RequestError(f"style is missing: name the picture of {settings.name} that the network was trained on")
    if config.style is not None:
        settings.painter = None
    painting = style.load(settings)
    if painting.sha256 != card["style"]["sha256"]:
        raise RequestError(
            f"style={config.style or settings.painter} is not the picture of {settings.name} that the network was "
            "trained on (its SHA-256 differs); the losses could not be compared"
        )
    return painting


def _loss_config(card: dict[str, Any], weights: str) -> LossConfig:
    if (card["loss"]["weights"] == "random") != (weights == "random"):
        raise RequestError(f"weights={weights} are not the VGG weights that the network was trained with")
    known = {item.name for item in fields(LossConfig)}
    return LossConfig(
        **{name: value for name, value in card["loss"].items() if name in known - {"weights"}}, weights=weights
    )


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
