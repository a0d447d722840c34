"""impasto-evaluate: compare a network with the per-image optimizer."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.cli.app import run
from impasto.configs.schema.evaluate import EvaluateConfig
from impasto.configs.terminal import show
from impasto.train.runtime import openmp

if TYPE_CHECKING:
    from impasto.models.losses.perceptual import PerceptualLoss
    from impasto.train.data.dataset import PhotoSet
    from impasto.train.evaluation.evaluation_report import EvaluationReport
    from impasto.train.evaluation.loaded_model import StyleModel
    from impasto.train.evaluation.photo_evaluation import MedianRow, PhotoEvaluation

SHEET_PHOTOS = 4

logger = logging.getLogger(__name__)


def main() -> None:
    """Compare a network with the optimizer."""
    openmp.limit_spinning()
    run("evaluate", task, extra="train")


def task(config: EvaluateConfig) -> None:
    """Compare network and optimizer, and print the figures; raises CheckFailed if a limit is exceeded."""
    from impasto.models.image import decode
    from impasto.train.evaluation import quality_gate

    decode.quiet_pillow()
    report = evaluate(config)
    display = report.display
    if display is not None:
        _print_display(display["medians"], config.evaluate.display)
    _print_comparison(report.medians, config.evaluate.iterations)
    _print_artifacts(report.medians, report.style_image["artifacts"])
    show(f"{config.output}: evaluation.json, curves.png, sheet.png{', display.png' if display else ''}")
    quality_gate.require(report.gates)


def evaluate(config: EvaluateConfig) -> "EvaluationReport":
    """Compare network and optimizer on each photo at each size, and write figures, curves and a contact sheet.

    Raises:
        UsageError: The network, a photo set, the style image or the weights cannot be read, or do not match.
    """
    from impasto.configs import atomic_file
    from impasto.models import checkpoint, zoo
    from impasto.models.losses.perceptual import PerceptualLoss
    from impasto.models.metrics import artifacts
    from impasto.models.vgg import weights
    from impasto.train.commands import output_folder
    from impasto.train.data.dataset import PhotoSet
    from impasto.train.evaluation import loaded_model, optimizer_baseline, photo_evaluation, quality_gate
    from impasto.train.evaluation.display_report import DisplayReport
    from impasto.train.evaluation.evaluation_report import FORMAT, EvaluationReport
    from impasto.train.runtime import device

    source = zoo.resolve(config.checkpoint, checkpoint.SUFFIX)
    model = loaded_model.load(source, config.style)
    style = model.style_image(config.style)
    settings = model.loss_config(config.weights)
    photos = PhotoSet(Path(config.photos), "photos")
    output = output_folder.create(config.output)
    device.keep_memory()
    vgg = weights.load(config.weights, settings.network)
    loss = PerceptualLoss(settings, vgg, style.pixels)
    display = DisplayReport(config, model, vgg) if config.evaluate.display else None
    if display is not None:
        display.evaluate(photos, f"looking at {source.name}")
    photos.names = photos.names[: config.evaluate.count]
    key = optimizer_baseline.loss_key(model.loss_card, style.sha256, model.style.size)
    evaluations = _evaluate_photos(config, photos, model, loss, key, f"evaluating {source.name}")
    rows = photo_evaluation.medians(evaluations)
    gates = quality_gate.gates(rows, display.medians if display else None, config.evaluate)
    report = EvaluationReport(
        format=FORMAT,
        passed=all(gate.passed for gate in gates),
        gates=gates,
        checkpoint=_checkpoint(model),
        loss=model.loss_card.to_json(),
        baseline=vars(optimizer_baseline.BASELINE) | _baseline(config),
        medians=rows,
        display=display.to_json() if display else None,
        style_image={"artifacts": artifacts.figures(style.pixels)},
        photos=[evaluation.to_json() for evaluation in evaluations],
    )
    atomic_file.write_json(output / "evaluation.json", report.to_json())
    _write_pictures(evaluations, output)
    if display is not None:
        display.write_sheet(output / "display.png")
    return report


def _checkpoint(model: "StyleModel") -> dict[str, Any]:
    """What the report says of the network."""
    card = model.card.to_json() if model.card else {}
    known = {name: card[name] for name in ("model", "training") if name in card}
    return {"style": model.style.name, "output": model.output_type} | known


def _baseline(config: EvaluateConfig) -> dict[str, Any]:
    """The settings of the optimizer that the configuration gives, and the range of its pixels."""
    from impasto.train.image_optimization.projected import RANGE

    return {"range": list(RANGE), "iterations": config.evaluate.iterations, "seed": config.seed}


def _evaluate_photos(
    config: EvaluateConfig, photos: "PhotoSet", model: "StyleModel", loss: "PerceptualLoss", key: str, title: str
) -> list["PhotoEvaluation"]:
    """Evaluate each photo at each size, with a progress bar."""
    from impasto.train.data.dataset import validation_crops
    from impasto.train.evaluation.photo_evaluation import PhotoEvaluation, evaluate_photo
    from impasto.train.image_optimization.optimizer import Iterate
    from impasto.train.runtime.progress import Display

    evaluations: list[PhotoEvaluation] = []
    starts = config.evaluate.starts
    trajectories = len(photos.names) * len(config.evaluate.sizes) * len(starts)
    with Display(title) as display:
        for size in config.evaluate.sizes:
            crops, names, skipped = validation_crops(photos, size)
            for message in skipped:
                logger.warning("skipped a photo: %s", message)
            for crop, name in zip(crops.numpy(), names, strict=True):
                finished = len(evaluations) * len(starts)

                def on_progress(start: str, iterate: Iterate, finished: int = finished, size: int = size) -> None:
                    done = finished + starts.index(start) + iterate.iteration / config.evaluate.iterations
                    loss_text = f"{iterate.losses['total']:,.0f}"
                    text = f"{size} px, optimizer from {start}, iteration {iterate.iteration}, loss {loss_text}"
                    display.note(done / trajectories, text)

                evaluations.append(evaluate_photo(model.run, loss, key, crop, name, config, on_progress))
    return evaluations


def _print_display(medians: dict[str, Any], size: int | None) -> None:
    """Print the medians at display size."""
    from impasto.models.console import Console, Table

    columns = ("octave 1", "1/2", "1/4", "1/8", "edges", "faces", "pattern", "flat texture", "weave")
    table = Table(*columns, title=f"at {size} px: distance to the painting (the photo's own is 1), and the drawing")
    faces = "none" if medians["faces"] is None else f"{medians['faces']:.2f}"
    pattern = medians["pattern"]
    words = f"{pattern['fraction']:.2f} at {pattern['period']:.1f} px in {pattern['channel']}"
    words = words if pattern["period"] else "none"
    texture = "none" if medians["flat_texture"] is None else f"{medians['flat_texture']:.2f}"
    octaves = [f"{value:.2f}" for value in medians["octaves"]]
    table.add_row(*octaves, f"{medians['edges']:.2f}", faces, words, texture, f"{medians['weave']:.2f}")
    Console().print(table)


def _print_comparison(rows: list["MedianRow"], iterations: int) -> None:
    """Print the medians of equivalent iterations and losses; "+" marks a lower bound."""
    from impasto.models.console import Console, Table

    columns = ("size", "optimizer from", "equivalent L-BFGS iterations", "loss / optimizer's best")
    table = Table(*columns, "total", "content", "style")
    for row in rows:
        bound = "+" if row.equivalent_iterations >= iterations else ""
        losses = [f"{value:,.0f}" for value in (row.total, row.content, row.style)]
        equivalent = f"{row.equivalent_iterations:g}{bound}"
        table.add_row(f"{row.size}", row.start, equivalent, f"{row.ratio:.2f}", *losses)
    Console().print(table)


def _print_artifacts(rows: list["MedianRow"], style_image: dict[str, float]) -> None:
    """Print the artifacts of the network's output, the photos and the style image, and the network's flicker."""
    from impasto.models.console import Console, Table

    columns = ("size", "pictures", "checkerboard", "blobs per megapixel", "border", "flicker, pan", "flicker, noise")
    table = Table(*columns, title="artifacts and flicker")
    for row in {row.size: row for row in rows}.values():
        flicker = [f"{row.flicker[name]:.2f}" for name in ("pan", "noise")]
        table.add_row(f"{row.size}", "network", *_artifact_cells(row.artifacts.network), *flicker)
        table.add_row(f"{row.size}", "photo", *_artifact_cells(row.artifacts.photo))
    table.add_row("", "style image", *_artifact_cells(style_image))
    Console().print(table)


def _artifact_cells(figures: dict[str, float]) -> tuple[str, str, str]:
    return f"{figures['checkerboard']:.2f}", f"{figures['blobs']:.1f}", f"{figures['border']:.3f}"


def _write_pictures(evaluations: list["PhotoEvaluation"], output: Path) -> None:
    """Write curves.png, the optimizer's losses with the network's as a line, and sheet.png, the pictures of both."""
    from impasto.train.evaluation import photo_evaluation
    from impasto.train.runtime import contact_sheet, plots

    size = evaluations[0].size
    group = [evaluation for evaluation in evaluations if evaluation.size == size]
    start = next(iter(group[0].trajectories))
    rows = []
    for evaluation in group[:SHEET_PHOTOS]:
        trajectory, iteration = evaluation.trajectories[start], evaluation.equivalent_iterations[start]
        pictures = [trajectory.snapshot(iteration), trajectory.best_snapshot]
        rows.append([evaluation.pixels, evaluation.stylized, *pictures])
    captions = ("photo", "network", f"optimizer from {start} at equal loss", "optimizer's best")
    contact_sheet.write_sheet(output / "sheet.png", rows, captions)
    plots.write_trajectories(output / "curves.png", photo_evaluation.median_trajectories(evaluations))
